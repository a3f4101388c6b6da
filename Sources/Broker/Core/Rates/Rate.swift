/// How often something may be done: so many times in a period, and how many of them may come at once.
package struct Rate: Hashable, Sendable {
    /// How many, for each `period`.
    package let count: Int
    /// In which time.
    package let period: Duration
    /// How many at once, after a rest.
    package let burst: Int

    /// A rate; numbers below 1 count as 1.
    package init(_ count: Int, per period: Duration = .seconds(1), burst: Int) {
        self.count = max(count, 1)
        self.period = period
        self.burst = max(burst, 1)
    }

    /// The time that one takes (ns).
    var interval: Double { Double(period.nanosecondsClamped) / Double(count) }
    /// How far the time taken may run ahead (ns).
    var tolerance: Double { interval * Double(burst) }
}

/// A token bucket in one number: the instant when all that was taken is paid off (GCRA). A fresh one is full.
package struct TokenBucket: Equatable, Sendable, BitwiseCopyable {
    private var paidOffAt: UInt64 = 0

    /// A full one.
    package init() {}

    /// Takes `cost` at `now` (ns, monotonic) if there is as much; else takes nothing, and returns how long it takes until
    /// there is (ns, above 0). What costs more than the bucket holds is let through when it is full.
    package mutating func take(_ cost: Int = 1, of rate: Rate, now: UInt64) -> UInt64? {
        let ahead = Double(max(paidOffAt, now) - now)
        let price = min(Double(max(cost, 0)) * rate.interval, rate.tolerance)
        let excess = ahead + price - rate.tolerance
        // Less than a nanosecond is an error of the calculation.
        guard excess < 1 else { return UInt64(min(excess, 1e18)) }
        paidOffAt = Self.adding(ahead + price, to: now)
        return nil
    }

    /// Takes `cost` at `now` (ns, monotonic) whether there is as much or not.
    package mutating func charge(_ cost: Int, of rate: Rate, now: UInt64) {
        paidOffAt = Self.adding(Double(max(cost, 0)) * rate.interval, to: max(paidOffAt, now))
    }

    /// How long it takes until the bucket is not overdrawn any more (ns); 0 when it is not.
    package func debt(of rate: Rate, now: UInt64) -> UInt64 {
        UInt64(min(max(Double(max(paidOffAt, now) - now) - rate.tolerance, 0), 1e18))
    }

    private static func adding(_ nanoseconds: Double, to now: UInt64) -> UInt64 {
        let (sum, overflow) = now.addingReportingOverflow(UInt64(min(nanoseconds, 1e18)))
        return overflow ? .max : sum
    }
}

/// Buckets by key, at most `capacity` of them: when there are more, those that have not been used for longest are full again.
///
/// There are two halves. A bucket that is used goes to the young one; when that is full it becomes the old one, and the
/// former old one is gone. So each use costs a look-up or two, and none ever a walk through the table.
package struct BucketTable<Key: Hashable & Sendable>: Sendable {
    private let half: Int
    private var young: [Key: TokenBucket] = [:]
    private var old: [Key: TokenBucket] = [:]

    /// A table that keeps at least half of `capacity` buckets, and never more than all of it.
    package init(capacity: Int) {
        half = max(capacity / 2, 1)
    }

    /// Buckets that are kept.
    package var count: Int { young.count + old.count }

    /// Takes from the bucket of `key`, as `TokenBucket.take` does.
    package mutating func take(_ cost: Int = 1, from key: Key, of rate: Rate, now: UInt64) -> UInt64? {
        use(key) { $0.take(cost, of: rate, now: now) }
    }

    /// Takes from the bucket of `key`, as `TokenBucket.charge` does.
    package mutating func charge(_ cost: Int, to key: Key, of rate: Rate, now: UInt64) {
        use(key) { $0.charge(cost, of: rate, now: now) }
    }

    /// What the bucket of `key` is overdrawn by, as `TokenBucket.debt` has it.
    package func debt(of key: Key, of rate: Rate, now: UInt64) -> UInt64 {
        (young[key] ?? old[key])?.debt(of: rate, now: now) ?? 0
    }

    private mutating func use<Result>(_ key: Key, _ body: (inout TokenBucket) -> Result) -> Result {
        if young[key] == nil {
            let bucket = old.removeValue(forKey: key) ?? TokenBucket()
            if young.count >= half {
                old = young
                young = [:]
            }
            young[key] = bucket
        }
        return body(&young[key, default: TokenBucket()])
    }
}

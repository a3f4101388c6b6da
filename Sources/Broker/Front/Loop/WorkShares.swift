import BrokerCore

/// Who has had how much of an event loop's time: what one address sends must not keep the loop from all others.
///
/// Time is what bounds the effect of everything that can be sent, whatever it is: messages that are refused, texts that are
/// no batch, pings, a megabyte of blanks in a few hundred bytes.
struct WorkShares {
    /// Messages of one connection that come in one piece wait for the next turn behind so much time (ns).
    static let slice: UInt64 = 1_000_000

    /// So long one waits at most until it is looked at again (ns): the limit may be another by then.
    private static let longestWait: UInt64 = 1_000_000_000

    private var rate: Rate?
    private var buckets: BucketTable<IPAddress>

    init(_ limits: RateLimits) {
        rate = limits.workPerAddress
        buckets = BucketTable(capacity: limits.rememberedCount)
    }

    /// From now on this is the limit.
    mutating func set(_ limits: RateLimits) {
        rate = limits.workPerAddress
    }

    /// After how long (ns) an address that has had its share may ask again; 0 when it has not.
    func wait(of address: IPAddress, now: UInt64) -> UInt64 {
        guard let rate else { return 0 }
        return min(buckets.debt(of: address.neighbourhood, of: rate, now: now), Self.longestWait)
    }

    /// Notes that an address has had so many nanoseconds.
    mutating func charge(_ address: IPAddress, _ nanoseconds: UInt64, now: UInt64) {
        guard let rate else { return }
        buckets.charge(Int(clamping: nanoseconds), to: address.neighbourhood, of: rate, now: now)
    }
}

extension Shard {
    /// How long what an address has sent has to wait (ns), 0 if it need not; that is counted.
    func delay(of address: IPAddress, now: UInt64) -> UInt64 {
        let wait = work.wait(of: address, now: now)
        if wait > 0 { counters.delayedReads += 1 }
        return wait
    }

    /// Notes that an address has had this loop's time since `start` (ns, monotonic).
    func charge(_ address: IPAddress, since start: UInt64) {
        let now = SystemClock.monotonic
        work.charge(address, now - start, now: now)
    }
}

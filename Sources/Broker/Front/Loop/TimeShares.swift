package import BrokerCore

/// Who has had how much of some time: of an event loop's, or of the router's.
package struct TimeShares {
    /// So much counts at once at most (ns): limits of sizes let nothing take that long. When more time has passed, the
    /// process has stood still, stopped or with its machine, and whoever was being served is not to pay for that.
    private static let longestCharge: UInt64 = 1_000_000_000

    /// What an address may have; nil for any time.
    var rate: Rate?
    private var buckets: BucketTable<IPAddress>

    /// Nobody has had anything yet.
    package init(_ limits: RateLimits) { self.init(rate: limits.workPerAddress, capacity: limits.rememberedCount) }

    /// The same with another rate; so many addresses are remembered.
    init(rate: Rate?, capacity: Int) {
        self.rate = rate
        buckets = BucketTable(capacity: capacity)
    }

    /// Notes that an address has had so many nanoseconds, of which `longestCharge` count.
    package mutating func charge(_ address: IPAddress, _ nanoseconds: UInt64, now: UInt64) {
        guard let rate else { return }
        let counted = min(nanoseconds, Self.longestCharge)
        buckets.charge(Int(clamping: counted), to: address.neighbourhood, of: rate, now: now)
    }

    /// After how long (ns) an address may have more; 0 when it need not wait.
    package func debt(of address: IPAddress, now: UInt64) -> UInt64 {
        guard let rate else { return 0 }
        return buckets.debt(of: address.neighbourhood, of: rate, now: now)
    }
}

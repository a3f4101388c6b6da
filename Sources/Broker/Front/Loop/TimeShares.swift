package import BrokerCore

/// Who has had how much of some time: of an event loop's, or of the router's.
package struct TimeShares {
    private(set) var rate: Rate?
    private var buckets: BucketTable<IPAddress>

    /// Nobody has had anything yet.
    package init(_ limits: RateLimits) {
        rate = limits.workPerAddress
        buckets = BucketTable(capacity: limits.rememberedCount)
    }

    /// From now on this is the limit.
    mutating func set(_ limits: RateLimits) {
        rate = limits.workPerAddress
    }

    /// Notes that an address has had so many nanoseconds.
    package mutating func charge(_ address: IPAddress, _ nanoseconds: UInt64, now: UInt64) {
        guard let rate else { return }
        buckets.charge(Int(clamping: nanoseconds), to: address.neighbourhood, of: rate, now: now)
    }

    /// After how long (ns) an address may have more; 0 when it need not wait.
    package func debt(of address: IPAddress, now: UInt64) -> UInt64 {
        guard let rate else { return 0 }
        return buckets.debt(of: address.neighbourhood, of: rate, now: now)
    }
}

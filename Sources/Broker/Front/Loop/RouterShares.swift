package import BrokerCore

/// Who has had how much of the router's time by what they send from other loops than its own, which they know nothing of.
///
/// An address has one share of it, however many loops its connections are on: each of them is told what it owes.
package struct RouterShares {
    private var rate: Rate?
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

    /// Notes that an address has had so many nanoseconds; after how long (ns) it may have more, 0 when it need not wait.
    package mutating func charge(_ address: IPAddress, _ nanoseconds: UInt64, now: UInt64) -> UInt64 {
        guard let rate else { return 0 }
        let address = address.neighbourhood
        buckets.charge(Int(clamping: nanoseconds), to: address, of: rate, now: now)
        return buckets.debt(of: address, of: rate, now: now)
    }
}

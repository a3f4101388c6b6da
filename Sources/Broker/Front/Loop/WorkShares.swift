package import BrokerCore

/// Who has had how much of an event loop's time: what one address sends must not keep the loop from all others.
///
/// Time is what bounds the effect of everything that can be sent, whatever it says: messages that are refused, texts that are
/// no batch, pings, a megabyte of blanks in a few hundred bytes, handshakes of TLS. To decrypt what
/// comes behind those is not counted: what is not read is not decrypted.
package struct WorkShares {
    /// Messages of one connection that come in one piece wait for the next turn behind so much time (ns).
    static let slice: UInt64 = 500_000

    /// So many messages of an address are on their way to the router's loop at most, from all loops together, and one batch
    /// more of each: what they cost is known only when it has seen to them, and may be a hundred times what it has cost to
    /// read them.
    private static let messagesUnderWay = 64
    /// The part of one of many loops in that: with fewer it would wait for the router more than the router works.
    private static let leastUnderWay = 8

    /// So long one waits at most until it is looked at again (ns): the limit may be another by then.
    private static let longestWait: UInt64 = 1_000_000_000

    private var shares: TimeShares
    /// What all connections of an address have together before others have their turn, however rested it is: without it each
    /// of them would have a slice.
    private var turns: TimeShares
    private let loopCount: Int
    /// How long the router wants nothing of an address: what its bucket, which holds nothing, is overdrawn by.
    private var debts: BucketTable<IPAddress>
    private static let debt = Rate(1_000_000_000, burst: 1)
    private var underWay = AddressTally()

    /// Nobody has had anything yet. There are so many loops, each with shares of its own, and one of them has the router.
    package init(_ limits: RateLimits, loopCount: Int = 1) {
        self.loopCount = max(loopCount, 1)
        shares = TimeShares(limits)
        turns = TimeShares(rate: Self.turn(within: limits.workPerAddress), capacity: limits.rememberedCount)
        debts = BucketTable(capacity: limits.rememberedCount)
    }

    /// From now on this is the limit.
    package mutating func set(_ limits: RateLimits) {
        shares.rate = limits.workPerAddress
        turns.rate = Self.turn(within: limits.workPerAddress)
    }

    private var isLimited: Bool { shares.rate != nil }

    /// Half of the loop's time, or as much as an address may have.
    private static func turn(within rate: Rate?) -> Rate? {
        guard let rate else { return nil }
        let perSecond = Double(rate.count) * 1e9 / Double(max(rate.period.nanosecondsClamped, 1))
        return Rate(max(500_000_000, Int(min(perSecond, 1e18))), burst: Int(slice / 2))
    }

    /// After how long (ns) an address that has had its share, here or of the router, may ask again; 0 when it has not.
    package func wait(of address: IPAddress, now: UInt64) -> UInt64 {
        guard isLimited else { return 0 }
        let owedToRouter = debts.debt(of: address.neighbourhood, of: Self.debt, now: now)
        return min(max(shares.debt(of: address, now: now), owedToRouter), Self.longestWait)
    }

    /// How long (ns) others have their turn before an address that need not wait for its share goes on; 0 when it may.
    package func turnWait(of address: IPAddress, now: UInt64) -> UInt64 {
        min(turns.debt(of: address, now: now), Self.longestWait)
    }

    /// Whether so many messages of an address are on their way to the router that no more may follow.
    package func isFull(_ address: IPAddress) -> Bool {
        underWay[address] >= max(Self.messagesUnderWay / loopCount, Self.leastUnderWay)
    }

    /// Notes that messages of an address go to the router, which is on another loop and will say what they have cost.
    package mutating func send(_ count: Int, of address: IPAddress) {
        if isLimited { underWay.add(count, to: address) }
    }

    /// Notes that the router has seen to messages of an address, of which it wants nothing more before that instant (ns,
    /// monotonic). Its time is not this loop's: `RouterLoop` keeps it for all loops.
    package mutating func settle(_ address: IPAddress, for count: Int, notBefore: UInt64, now: UInt64) {
        underWay.remove(count, from: address)
        let address = address.neighbourhood
        let known = now + debts.debt(of: address, of: Self.debt, now: now)
        guard notBefore > known else { return }
        debts.charge(Int(clamping: notBefore - known), to: address, of: Self.debt, now: now)
    }

    /// Notes that an address has had so many nanoseconds, as `TimeShares.charge` does.
    package mutating func charge(_ address: IPAddress, _ nanoseconds: UInt64, now: UInt64) {
        shares.charge(address, nanoseconds, now: now)
        turns.charge(address, nanoseconds, now: now)
    }
}

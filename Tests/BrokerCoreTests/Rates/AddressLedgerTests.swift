import BrokerCore
import Testing

@Suite("Connections and requests of addresses")
struct AddressLedgerTests {
    private static let second: UInt64 = 1_000_000_000
    private let start: UInt64 = 5 * second
    private let first = IPAddress(v4: 0xCB00_7107)
    private let other = IPAddress(v4: 0xCB00_7108)

    private func ledger(connections: Int = 1_000, _ change: (inout RateLimits) -> Void = { _ in }) -> AddressLedger {
        var rates = RateLimits()
        rates.connectionsPerAddress = nil
        rates.requestsPerAddress = nil
        rates.rememberedCount = 64
        change(&rates)
        return AddressLedger(connectionsPerAddress: connections, rates: rates)
    }

    @Test
    func connections() {
        var ledger = ledger(connections: 2)
        for _ in 0..<2 { #expect(ledger.enter(first, now: start) == .admitted) }
        for _ in 0..<4 { #expect(ledger.enter(first, now: start) == .refused(.connections, retryAfter: 1)) }
        #expect(ledger.enter(first, now: start) == .closed(.connections))
        #expect(ledger.refusedByCount == 5)
        #expect(ledger.enter(other, now: start) == .admitted)
        for _ in 0..<5 { ledger.leave(first) }
        #expect(ledger.enter(first, now: start) == .admitted)
        for _ in 0..<2 { ledger.leave(first) }
        ledger.leave(other)
        #expect(ledger.addressCount == 0)
    }

    /// A host has a /64 of IPv6 to itself.
    @Test
    func oneHostOfIPv6() throws {
        var ledger = ledger(connections: 1)
        let addresses = try ["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"].map { try #require(IPAddress($0)) }
        #expect(ledger.enter(addresses[0], now: start) == .admitted)
        #expect(ledger.enter(addresses[1], now: start) == .refused(.connections, retryAfter: 1))
        #expect(ledger.enter(addresses[2], now: start) == .admitted)
    }

    @Test
    func rateOfConnections() {
        var ledger = ledger { $0.connectionsPerAddress = Rate(1, per: .seconds(60), burst: 2) }
        for _ in 0..<2 { #expect(ledger.enter(first, now: start) == .admitted) }
        // So many are told, and no more.
        for _ in 0..<2 { #expect(ledger.enter(first, now: start) == .refused(.rate, retryAfter: 60)) }
        #expect(ledger.enter(first, now: start) == .closed(.rate))
        #expect(ledger.refusedByRate == 3)
        #expect(ledger.enter(other, now: start) == .admitted)
        #expect(ledger.enter(first, now: start + 60 * Self.second) == .admitted)
    }

    @Test
    func rateOfRequests() {
        var ledger = ledger { $0.requestsPerAddress = Rate(2, burst: 2) }
        for _ in 0..<2 { #expect(ledger.request(from: first, now: start) == nil) }
        #expect(ledger.request(from: first, now: start) == 1)
        #expect(ledger.request(from: other, now: start) == nil)
        #expect(ledger.request(from: first, now: start + Self.second) == nil)
        #expect(ledger.refusedRequests == 1)
    }

    /// In a flood from all over the world those who came first are forgotten, of each kind, and those who came last are not.
    @Test
    func isBounded() {
        var ledger = ledger {
            $0.connectionsPerAddress = Rate(1, burst: 1)
            $0.requestsPerAddress = Rate(1, burst: 1)
        }
        let addresses = (0..<10_000 as Range<UInt32>).map { IPAddress(v4: $0) }
        for address in addresses {
            _ = ledger.enter(address, now: start)
            _ = ledger.enter(address, now: start)
            _ = ledger.request(from: address, now: start)
            ledger.leave(address)
            ledger.leave(address)
        }
        #expect(ledger.addressCount == 0)
        let (earliest, latest) = (addresses[0], addresses[9_999])
        #expect(ledger.enter(latest, now: start) == .closed(.rate))
        #expect(ledger.request(from: latest, now: start) == 1)
        #expect(ledger.enter(earliest, now: start) == .admitted)
        #expect(ledger.enter(earliest, now: start) == .refused(.rate, retryAfter: 1))
        #expect(ledger.request(from: earliest, now: start) == nil)
    }
}

import BrokerCore
import Synchronization

/// Decides which connections and requests are let in, by how many there are and how fast they come, and tells who sends
/// them. All listeners and event loops ask the same one.
final class Gatekeeper: Sendable {
    /// All connections.
    let counter: ConnectionCounter
    /// Which proxies are believed.
    let trust: ProxyTrust
    private let ledger: Mutex<AddressLedger>
    private let includesLoopback: Atomic<Bool>
    private let refusedHeads = Atomic(0)

    init(_ configuration: BrokerConfiguration) {
        counter = ConnectionCounter(limit: configuration.connections)
        trust = configuration.trust
        let rates = configuration.limits.rates
        includesLoopback = Atomic(rates.includesLoopback)
        ledger = Mutex(AddressLedger(connectionsPerAddress: configuration.connectionsPerAddress, rates: rates))
    }

    /// Takes over other limits. What is open goes on.
    func set(_ configuration: BrokerConfiguration) {
        counter.set(limit: configuration.connections)
        let rates = configuration.limits.rates
        includesLoopback.store(rates.includesLoopback, ordering: .relaxed)
        ledger.withLock {
            $0.connectionsPerAddress = configuration.connectionsPerAddress
            $0.rates = rates
        }
    }

    /// The address that a connection counts under for limits; nil when it does not count: on this machine, at a Unix
    /// socket, and a trusted proxy's, whose requests count under those of its clients.
    func limited(_ origin: ConnectionOrigin) -> IPAddress? {
        origin.isTrusted ? nil : limited(client(of: origin) { _ in [] })
    }

    /// The address that a client counts under for limits; nil when it does not count.
    func limited(_ client: ClientAddress) -> IPAddress? {
        switch client.kind {
        case .local: includesLoopback.load(ordering: .relaxed) ? client.address : nil
        case .proxy: nil
        case .elsewhere: client.address
        }
    }

    /// Who sends a request: `fields` looks up all header fields of a name.
    func client(of origin: ConnectionOrigin, _ fields: (String) -> [String]) -> ClientAddress {
        guard origin.isTrusted else {
            return ClientAddress(address: origin.address, kind: origin.isLocal ? .local : .elsewhere)
        }
        let fields = fields(trust.header.rawValue)
        if fields.isEmpty { return ClientAddress(address: origin.address, kind: .proxy) }
        return ClientAddress(address: trust.client(behind: origin.address, fields), kind: .elsewhere)
    }

    /// A connection of an address that counts, or, if that is not new, a request on one that stands for it; unless the
    /// verdict is `closed`, `leave` is to be called at its end.
    func enter(_ address: IPAddress, isNew: Bool = true) -> AddressLedger.Verdict {
        let now = SystemClock.monotonic
        return ledger.withLock { $0.enter(address, isNew: isNew, now: now) }
    }

    /// The end of one.
    func leave(_ address: IPAddress) {
        ledger.withLock { $0.leave(address) }
    }

    /// A request of an address that counts: nil, or after how many seconds it may come again.
    func request(from address: IPAddress) -> Int? {
        let now = SystemClock.monotonic
        return ledger.withLock { $0.request(from: address, now: now) }
    }

    /// A connection whose PROXY header was not taken.
    func noteRefusedHead() {
        refusedHeads.add(1, ordering: .relaxed)
    }

    /// What was refused since the start.
    struct Counts: Sendable {
        var connections = 0
        var byAddress: UInt64 = 0
        var byRate: UInt64 = 0
        var requests: UInt64 = 0
        var proxyHeaders = 0
    }

    /// What was refused since the start.
    var counts: Counts {
        let (byAddress, byRate, requests) = ledger.withLock {
            ($0.refusedByCount, $0.refusedByRate, $0.refusedRequests)
        }
        return Counts(
            connections: counter.refusedCount, byAddress: byAddress, byRate: byRate, requests: requests,
            proxyHeaders: refusedHeads.load(ordering: .relaxed))
    }
}

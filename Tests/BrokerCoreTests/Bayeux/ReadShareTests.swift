import BrokerCore
import Support
import Synchronization
import Testing

/// To find a part of the past the store may have to go through all that is kept: one address has few of these reads under
/// way, and nothing is read for nobody.
@Suite("Shares of reading")
struct ReadShareTests {
    /// A store in memory that takes down whether what is to be read is still wanted.
    private final class InterestStore: Store {
        private let store = MemoryStore(epoch: "log")
        private let noted = Mutex<[Bool]>([])

        var wanted: [Bool] { noted.withLock { $0 } }

        func open(handler: @escaping @Sendable ([StoreOutcome]) -> Void) throws(StoreError) -> StoredState {
            try store.open(handler: handler)
        }

        func submit(_ operations: [StoreOperation]) {
            noted.withLock { noted in
                for case .readBacklog(_, _, let interest) in operations { noted.append(!interest.isGone) }
            }
            store.submit(operations)
        }

        func close() { store.close() }
    }

    private static func caller(at address: String) throws -> Caller {
        var caller = Caller(isBrowser: false)
        let address: IPAddress = try #require(IPAddress(address))
        caller.address = address
        return caller
    }

    @Test("Sessions of one address take turns, and who is elsewhere does not wait for all of them")
    func turns() throws {
        let harness = try RouterHarness()
        harness.publish("x", to: "/r", from: harness.socket(), ext: ["retain": true])
        let message = RouterHarness.Event.message("x", on: "/r", sequence: 1, retained: true)
        harness.caller = try Self.caller(at: "192.0.2.1")
        let many = (1...200).map { _ in harness.open() }
        harness.caller = try Self.caller(at: "192.0.2.2")
        let other = harness.open()
        harness.storeMode = .stopped
        for (peer, clientID) in many { harness.subscribe(clientID, to: "/**", from: peer) }
        // Now all of them have subscribed, and want to read.
        harness.runStore(many.count)
        harness.subscribe(other.clientID, to: "/r", from: other.peer)
        // Four of the many are in front of its subscription, and four in front of what it reads.
        for _ in 1...2 { harness.runStore(5) }
        #expect(harness.take(other.peer).contains(message))

        // Those who leave the line are passed over, and all others have their turn.
        for (peer, clientID) in many[100...] { harness.disconnect(clientID, from: peer) }
        harness.storeMode = .prompt
        harness.runStore()
        for (peer, _) in many[..<100] { #expect(harness.take(peer).contains(message)) }
    }

    @Test("Requests for history take turns with them, and those whose connection is gone are passed over")
    func histories() throws {
        let harness = try RouterHarness()
        harness.publish("x", to: "/r", from: harness.socket(), ext: ["retain": true])
        let message = RouterHarness.Event.message("x", on: "/r", sequence: 1, retained: true)
        harness.caller = try Self.caller(at: "192.0.2.2")
        let other = harness.open()
        harness.storeMode = .stopped
        harness.caller = try Self.caller(at: "192.0.2.1")
        let many = (1...12).map { _ in harness.exchange() }
        for peer in many { try harness.readHistory(of: "/r", after: 0, limit: 9, for: peer) }
        harness.caller = try Self.caller(at: "192.0.2.2")
        harness.subscribe(other.clientID, to: "/r", from: other.peer)
        let gone = many[5]
        harness.close(gone)
        // As long as it stands in the line its slot is not another one's.
        #expect(harness.take(gone) == [])
        // Four of the many are in front of its subscription, and four in front of what it reads.
        for _ in 1...2 { harness.runStore(5) }
        #expect(harness.take(other.peer).contains(message))
        #expect(harness.take(gone) == [.release])
        harness.storeMode = .prompt
        harness.runStore()
        for peer in many where peer.connection != gone.connection {
            #expect(harness.take(peer) == [.history([])])
        }
    }

    @Test("Who comes from elsewhere does not wait for those whom it has left", arguments: [0, 4])
    func moved(elsewhereCount: Int) throws {
        let harness = try RouterHarness()
        harness.publish("x", to: "/r", from: harness.socket(), ext: ["retain": true])
        let message = RouterHarness.Event.message("x", on: "/r", sequence: 1, retained: true)
        harness.caller = try Self.caller(at: "192.0.2.2")
        var sessions = (0..<elsewhereCount).map { _ in harness.open() }
        harness.caller = try Self.caller(at: "192.0.2.1")
        sessions += (1...5).map { _ in harness.open() }
        let moving = sessions[elsewhereCount + 4]
        harness.storeMode = .stopped
        for (peer, clientID) in sessions { harness.subscribe(clientID, to: "/**", from: peer) }
        harness.runStore(sessions.count)
        // Four of each address read now, and the last one of all waits.
        harness.caller = try Self.caller(at: "192.0.2.2")
        harness.connect(moving.clientID, from: moving.peer)
        // With nobody elsewhere it reads at once, else when the first one there is through.
        harness.runStore(elsewhereCount + 4 + (elsewhereCount == 0 ? 1 : 0))
        if elsewhereCount > 0 {
            #expect(!harness.take(moving.peer).contains(message))
            harness.runStore(1)
        }
        #expect(harness.take(moving.peer).contains(message))
        harness.runStore()
        #expect(!harness.take(moving.peer).contains(message))
    }

    @Test("What a session has asked for is not wanted any more when it has ended")
    func unwanted() throws {
        let store = InterestStore()
        let harness = try RouterHarness(store: store)
        harness.publish("x", to: "/r", from: harness.socket(), ext: ["retain": true])
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/r", from: peer)
        harness.storeMode = .stopped
        harness.subscribe(clientID, to: "/**", from: peer)
        harness.runStore(1)
        harness.disconnect(clientID, from: peer)
        harness.runStore()
        #expect(store.wanted == [true, false])
    }
}

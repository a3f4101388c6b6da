import BrokerCore
import Support
import Synchronization
import Testing

/// The last page of a replay turns out to be empty: what it was to hold has been cleared meanwhile.
@Suite("Empty last pages")
struct EmptyPageTests {
    /// A store that reads on only when it is told to.
    private final class SlowReader: Store {
        private let store: RememberingStore
        private let held = Mutex<[StoreOperation]>([])
        var isHolding: Bool { held.withLock { !$0.isEmpty } }

        init(_ store: RememberingStore) { self.store = store }

        func open(handler: @escaping @Sendable ([StoreOutcome]) -> Void) throws(StoreError) -> StoredState {
            try store.open(handler: handler)
        }

        func submit(_ operations: [StoreOperation]) {
            for operation in operations {
                if case .readOn = operation {
                    held.withLock { $0.append(operation) }
                } else {
                    store.submit([operation])
                }
            }
        }

        func readOn() {
            store.submit(
                held.withLock { held in
                    defer { held = [] }
                    return held
                })
        }

        func close() {}
    }

    private static func parts(_ events: [RouterHarness.Event]) -> (count: Int, last: JSON?, batch: Double?) {
        var (count, last, batch): (Int, JSON?, Double?) = (0, nil, nil)
        for event in events {
            switch event {
            case .push(let message): (count, last) = (count + 1, message["data"])
            case .reply(let reply): if case .number(let number)? = reply["ext"]?["ack"] { batch = number }
            default: break
            }
        }
        return (count, last, batch)
    }

    /// Whether the page is read before the client has acknowledged the one before it, or afterwards.
    @Test(
        "The replay is over all the same: what is live comes at once, and nothing is left to be read",
        arguments: [true, false])
    func acknowledged(readsEarly: Bool) throws {
        let remembering = RememberingStore()
        let store = SlowReader(remembering)
        let harness = try RouterHarness(store: store)
        let publisher = harness.socket()
        for number in 1...600 {
            harness.publish(.number(Double(number)), to: "/r/\(number)", from: publisher, ext: ["retain": true])
        }
        let handshake: JSON = [
            "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"],
            "ext": ["ack": true],
        ]
        guard case .reply(let reply)? = harness.send([handshake], from: harness.exchange()).first,
            let clientID = reply["clientId"]?.text
        else { preconditionFailure("Cannot go on when the handshake was refused") }
        func connect(_ batch: Double?, from peer: Peer) -> [RouterHarness.Event] {
            harness.send(
                [
                    [
                        "channel": "/meta/connect", "clientId": .string(clientID), "connectionType": "long-polling",
                        "ext": batch.map { ["ack": .number($0)] } ?? [:],
                    ]
                ], from: peer)
        }
        let first = Self.parts(connect(0, from: harness.exchange()))
        harness.subscribe(clientID, to: "/r/*", from: harness.exchange())
        let page = Self.parts(connect(first.batch, from: harness.exchange()))
        #expect(page.count == 512)
        #expect(store.isHolding)
        for number in 513...600 {
            harness.publish(.null, to: "/r/\(number)", from: publisher, ext: ["retain": true])
        }
        if readsEarly { store.readOn() }
        harness.publish("live", to: "/r/live", from: publisher)
        let held = harness.exchange()
        var got = connect(page.batch, from: held)
        store.readOn()
        harness.endTurn()
        got += harness.take(held)
        // Clearing is told, too.
        #expect(Self.parts(got).last == "live")
        _ = connect(Self.parts(got).batch, from: harness.exchange())
        harness.advance(by: .seconds(2))
        let replays = remembering.sessions.map(\.replays)
        #expect(replays == [[:]])
    }
}

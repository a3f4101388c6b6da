import BrokerCore
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import BrokerFront

/// Clients in the broker's own process, from the router's side.
@Suite("The port of clients in the process", .timeLimit(.minutes(10)))
struct InProcessPortTests {
    /// What the router is told, with the slot.
    private enum Note: Equatable {
        case batch(UInt32)
        case close(UInt32, ConnectionEnd = .peer)
        case congested(UInt32)
        case drained(UInt32)
        case other
    }

    /// An open port, and a router that only takes notes.
    private struct Fixture {
        let port = InProcessPort()
        private let loop = MultiThreadedEventLoopGroup.singleton.next()
        private let notes = Notes()

        init() {
            let mailbox = Mailbox<RouterInput>(eventLoop: loop) { [notes] in notes.add($0) }
            port.open(loop: 1, router: mailbox, hooks: BrokerHooks(), congestedBytes: 100)
        }

        /// What the router was told since the last time.
        func told() async throws -> [Note] {
            // What was sent before this was handed over before it runs.
            try await loop.submit {}.get()
            return notes.take()
        }
    }

    private final class Notes: Sendable {
        private let notes = Mutex<[Note]>([])

        func add(_ inputs: [RouterInput]) {
            let added = inputs.map { input -> Note in
                switch input {
                case .batch(_, _, let peer, _): .batch(peer.connection.slot)
                case .close(let connection, let reason): .close(connection.slot, reason)
                case .congested(let connection): .congested(connection.slot)
                case .drained(let connection): .drained(connection.slot)
                default: .other
                }
            }
            notes.withLock { $0 += added }
        }

        func take() -> [Note] {
            notes.withLock { notes in
                defer { notes = [] }
                return notes
            }
        }
    }

    private static func replies(_ event: InProcessPort.Event?) -> String? {
        guard case .replies(let objects)? = event else { return nil }
        return String(decoding: objects, as: UTF8.self)
    }

    @Test("A client that is gone does nothing to the one that has its slot now", arguments: [false, true])
    func slotOfAnother(isKicked: Bool) async throws {
        let fixture = Fixture()
        let (first, _, _) = fixture.port.connect()
        if isKicked { fixture.port.send([.close(slot: first.slot)]) } else { fixture.port.disconnect(first) }
        #expect(try await fixture.told() == [.close(first.slot)])
        fixture.port.send([.release(slot: first.slot)])
        let (second, events, _) = fixture.port.connect()
        #expect(second.slot == first.slot)

        fixture.port.disconnect(first)
        try fixture.port.send(Array(#"[{"channel":"/a"}]"#.utf8), from: first)
        #expect(try await fixture.told() == [])

        fixture.port.send([.reply(slot: second.slot, Array("{}".utf8))])
        var iterator = events.makeAsyncIterator()
        #expect(Self.replies(await iterator.next()) == "{}")
        try fixture.port.send(Array(#"[{"channel":"/a"}]"#.utf8), from: second)
        fixture.port.disconnect(second)
        #expect(try await fixture.told() == [.batch(second.slot), .close(second.slot)])
        #expect(Self.replies(await iterator.next()) == nil)
    }

    @Test("The router is told when too much is not read, and when there is room again")
    func unread() async throws {
        let fixture = Fixture()
        let (client, _, unread) = fixture.port.connect()
        unread.add(100)
        #expect(try await fixture.told() == [])
        unread.add(1)
        unread.add(1)
        #expect(try await fixture.told() == [.congested(client.slot)])
        unread.remove(1)
        #expect(try await fixture.told() == [])
        unread.remove(1)
        unread.remove(50)
        #expect(try await fixture.told() == [.drained(client.slot)])
        unread.add(50)
        #expect(try await fixture.told() == [])
        unread.add(1)
        #expect(try await fixture.told() == [.congested(client.slot)])
    }

    @Test("The router is told at once that there is room if there is")
    func awaitedDrain() async throws {
        let fixture = Fixture()
        let (client, _, unread) = fixture.port.connect()
        fixture.port.send([.awaitDrain(slot: client.slot)])
        #expect(try await fixture.told() == [.drained(client.slot)])
        unread.add(101)
        fixture.port.send([.awaitDrain(slot: client.slot)])
        #expect(try await fixture.told() == [.congested(client.slot)])
        unread.remove(101)
        #expect(try await fixture.told() == [.drained(client.slot)])
    }

    @Test("Who is cut off is gone, and what it reads then is not told of the one that has its slot")
    func cut() async throws {
        let fixture = Fixture()
        let (client, events, unread) = fixture.port.connect()
        unread.add(101)
        fixture.port.send([.reply(slot: client.slot, Array("{}".utf8)), .cut(slot: client.slot)])
        #expect(try await fixture.told() == [.congested(client.slot), .close(client.slot, .slow)])
        var iterator = events.makeAsyncIterator()
        #expect(Self.replies(await iterator.next()) == "{}")
        #expect(Self.replies(await iterator.next()) == nil)
        unread.remove(101)
        unread.add(101)
        fixture.port.shutDown()
        #expect(try await fixture.told() == [])
    }
}

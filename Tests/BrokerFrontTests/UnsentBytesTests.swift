import BrokerCore
import NIOCore
import NIOEmbedded
import Testing

@testable import BrokerFront

/// What waits in all connections of an event loop has a bound.
@Suite(.timeLimit(.minutes(2)))
struct UnsentBytesTests {
    @Test("A piece that waits for many is one piece of memory, however much of it each of them waits for")
    func sharedPieces() {
        let unsent = UnsentBytes(limit: .max, eventLoop: EmbeddedEventLoop())
        var piece = ByteBuffer(repeating: 0, count: 1000)
        let capacity = piece.storageCapacity
        let first = unsent.add(piece, isCopied: false)
        piece.moveReaderIndex(forwardBy: 400)
        let second = unsent.add(piece, isCopied: false)
        #expect(unsent.queuedBytes == 1600 && unsent.keptBytes == capacity)
        let other = ByteBuffer(repeating: 0, count: 10)
        let third = unsent.add(other, isCopied: false)
        #expect(unsent.keptBytes == capacity + other.storageCapacity)
        unsent.remove(first)
        #expect(unsent.queuedBytes == 610 && unsent.keptBytes == capacity + other.storageCapacity)
        unsent.remove(second)
        #expect(unsent.keptBytes == other.storageCapacity)
        unsent.remove(third)
        #expect(unsent.queuedBytes == 0 && unsent.keptBytes == 0)
    }

    @Test("Copies of it are as many pieces")
    func copies() {
        let unsent = UnsentBytes(limit: .max, eventLoop: EmbeddedEventLoop())
        let piece = ByteBuffer(repeating: 0, count: 1000)
        let holds = (0..<3).map { _ in unsent.add(piece, isCopied: true) }
        #expect(unsent.queuedBytes == 3000 && unsent.keptBytes == 3000)
        for hold in holds { unsent.remove(hold) }
        #expect(unsent.queuedBytes == 0 && unsent.keptBytes == 0)
    }

    /// Somebody who listens to a channel of their own, and reads nothing of it.
    private static func sleeper(on channel: String, at broker: TestBroker, isStream: Bool) async throws -> TestSocket {
        let socket = try await broker.connect()
        if isStream {
            let headers = [("Accept", "text/event-stream")]
            try await socket.send(TestSocket.request("GET", "/channels" + channel, headers: headers))
            _ = try await socket.read(through: "retry: ")
        } else {
            let webSocket = try await TestWebSocket.start(over: socket)
            try await webSocket.expectOpen()
            _ = try await TestClient.begin(over: webSocket, subscribedTo: channel)
        }
        try await socket.stopReading()
        return socket
    }

    /// None has more than a connection may, all together have: one is closed, and who reads misses nothing. What waits for
    /// connections that are closed does not count any more.
    @Test(arguments: [false, true])
    func sum(isStream: Bool) async throws {
        let transport = isStream ? "eventsource" : "websocket"
        let cuts = #"fanfare_connections_closed_total{transport="\#(transport)",reason="slow"}"#
        let filling = String(repeating: "x", count: 64_000)
        try await TestBroker.run {
            $0.metrics = .all
            // Of memory, of which a message of 64 KB takes up to twice as much.
            $0.limits.queuedBytesInAll = 3 << 20
            $0.congestedBytes = 1 << 20
        } _: { broker in
            var sleepers: [TestSocket] = []
            for number in 0..<4 {
                sleepers.append(try await Self.sleeper(on: "/sleeper/\(number)", at: broker, isStream: isStream))
            }
            let reader = try await TestClient.open(at: broker, subscribedTo: "/sleeper/*")
            let publisher = try await TestClient.open(at: broker)
            let monitor = try await broker.connect()
            var count = 0
            while try await broker.metrics(over: monitor)[cuts] == 0 {
                let (channel, data) = ("/sleeper/\(count % sleepers.count)", #"["\#(filling)",\#(count)]"#)
                count += 1
                try await publisher.publish(data, to: channel)
                #expect(try await reader.delivery() == #"{"channel":"\#(channel)","data":\#(data)}"#)
            }
            let numbers = try await broker.metrics(over: monitor)
            #expect(numbers[cuts] == 1)
            #expect(numbers["fanfare_send_queue_bytes"] ?? 0 > 0, "the others keep what waits for them")

            // It is theirs alone: somebody else goes on.
            try await publisher.publish("1", to: "/sleeper/last")
            #expect(try await reader.delivery() == #"{"channel":"/sleeper/last","data":1}"#)
            for sleeper in sleepers { try? await sleeper.close() }
            // The broker hears of it a moment later.
            while try await broker.metrics(over: monitor)["fanfare_send_queue_bytes"] != 0 {}
        }
    }
}

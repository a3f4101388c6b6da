import BrokerCore
import NIOCore
import NIOEmbedded
import Testing

@testable import BrokerFront

/// Who waits for the share of an address, and for what room for answers.
struct WaitingLinesTests {
    private static func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    /// The handshake of a WebSocket.
    private static let upgrade = ByteBuffer(
        string: TestSocket.request(
            "GET", "/bayeux",
            headers: [
                ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ]))

    @Test("In the order in which they came, and one timer for all of an address")
    func order() throws {
        var lines = WaitingLines()
        let (one, other) = (try Self.address("203.0.113.1"), try Self.address("203.0.113.2"))
        var called: [String] = []
        let begins = [("a", one), ("b", one), ("c", other), ("d", one)].map { name, address in
            lines.append({ called.append(name) }, of: address)
        }
        #expect(begins == [true, false, true, false])
        lines.next(of: one)?()
        // Whoever comes while a line is worked off does not begin another one.
        let beginsAgain = lines.append({ called.append("e") }, of: one)
        #expect(!beginsAgain)
        while let body = lines.next(of: one) { body() }
        lines.next(of: other)?()
        #expect(called == ["a", "b", "d", "e", "c"])
        let beginsAnew = lines.append({}, of: one)
        #expect(beginsAnew)
    }

    enum Connection: CaseIterable {
        case webSocket
        /// Of which nothing is parsed.
        case http
        /// Whose request tells for whom it is.
        case proxied
    }

    /// The line is never worked off here.
    @Test("Those that have closed are not kept by the line in which they stand", arguments: Connection.allCases)
    func closed(connection: Connection) throws {
        let (loop, address) = (EmbeddedShard(), try Self.address("203.0.113.1"))
        loop.useUp(by: address)
        let pipeline = loop.channel.pipeline.syncOperations
        let origin = ConnectionOrigin(address: address, isTrusted: connection == .proxied)
        weak var handler: AnyObject?
        switch connection {
        case .webSocket:
            try pipeline.addHandler(WebSocketHandler(shard: loop.shard, services: loop.services, origin: origin))
            handler = try pipeline.handler(type: WebSocketHandler.self)
            try loop.channel.writeInbound(Self.upgrade)
            try loop.channel.writeInbound(ByteBuffer(bytes: TestWebSocket.frame(opcode: 1, Array("[]".utf8))))
        case .http, .proxied:
            try HTTPHandler.install(
                in: loop.channel.pipeline, shard: loop.shard, services: loop.services, origin: origin)
            handler = try pipeline.handler(type: HTTPHandler.self)
            let fields = [("X-Forwarded-For", "\(address)")]
            try loop.channel.writeInbound(
                ByteBuffer(string: TestSocket.request("POST", "/channels/a", headers: fields, body: "1")))
        }
        #expect(loop.shard.counters.delayedReads == 1)
        #expect(handler != nil)
        loop.close()
        #expect(handler == nil)
        loop.stop()
    }

    @Test("What is parsed takes of an address's share, before there is a request")
    func parsing() throws {
        let (loop, address) = (EmbeddedShard(), try Self.address("203.0.113.1"))
        try HTTPHandler.install(
            in: loop.channel.pipeline, shard: loop.shard, services: loop.services,
            origin: ConnectionOrigin(address: address, isTrusted: false))
        let head = TestSocket.request("POST", "/channels/a", headers: [("Transfer-Encoding", "chunked")])
        try loop.channel.writeInbound(ByteBuffer(string: head))
        #expect(loop.shard.counters.delayedReads == 0)
        #expect(loop.shard.pause(of: address, now: SystemClock.monotonic) > 0)
        let chunks = String(repeating: "1\r\na\r\n", count: 1_000)
        try loop.channel.writeInbound(ByteBuffer(string: chunks))
        #expect(loop.shard.counters.delayedReads == 1)
        loop.close()
        loop.stop()
    }

    @Test("What comes behind the request of an event stream, too, and the stream goes on")
    func parsingBehindAStream() throws {
        let (loop, address) = (EmbeddedShard(), try Self.address("203.0.113.1"))
        try HTTPHandler.install(
            in: loop.channel.pipeline, shard: loop.shard, services: loop.services,
            origin: ConnectionOrigin(address: address, isTrusted: false))
        let get = TestSocket.request("GET", "/channels/a", headers: [("Accept", "text/event-stream")])
        try loop.channel.writeInbound(ByteBuffer(string: get))
        loop.shard.carryOut(.open(slot: 0))
        loop.channel.embeddedEventLoop.run()
        var text = ""
        while let part = try loop.channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: part) }
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n") && text.contains("retry: "))
        #expect(loop.shard.counters.delayedReads == 0)
        let head = TestSocket.request("POST", "/channels/a", headers: [("Transfer-Encoding", "chunked")])
        let chunks = String(repeating: "1\r\na\r\n", count: 1_000)
        try loop.channel.writeInbound(ByteBuffer(string: head + chunks))
        #expect(loop.shard.counters.delayedReads == 1)
        loop.close()
        loop.stop()
    }

    @Test("What answers the pings of a turn is written together")
    func pongsOfATurn() throws {
        let (loop, address) = (EmbeddedShard(), try Self.address("203.0.113.1"))
        let handler = WebSocketHandler(
            shard: loop.shard, services: loop.services, origin: ConnectionOrigin(address: address, isTrusted: false))
        try loop.channel.pipeline.syncOperations.addHandler(handler)
        try loop.channel.writeInbound(Self.upgrade)
        while try loop.channel.readOutbound(as: ByteBuffer.self) != nil {}
        let (count, ping) = (100, TestWebSocket.frame(opcode: 9, Array("a".utf8)))
        try loop.channel.writeInbound(ByteBuffer(bytes: (0..<count).flatMap { _ in ping }))
        // How many they are is a matter of time; the others wait here for ever.
        let pongs = try #require(try loop.channel.readOutbound(as: ByteBuffer.self))
        #expect(try loop.channel.readOutbound(as: ByteBuffer.self) == nil)
        let all = (0..<count).flatMap { _ in [0x8A, 1, UInt8(ascii: "a")] }
        #expect(all.starts(with: pongs.readableBytesView))
        loop.close()
        loop.stop()
    }

    @Test("What nobody takes: a bound for an address, and one in all", arguments: [32 << 20, 1 << 30])
    func memoryShares(bytesInAll: Int) throws {
        let most = min(32 << 20, bytesInAll / 4)
        var shares = MemoryShares(bytesInAll: bytesInAll, from: 64 << 10)
        let (one, other) = (try Self.address("203.0.113.1"), try Self.address("203.0.113.2"))
        // The first one always has room, however large it is.
        #expect(shares.hasRoom(for: 2 * bytesInAll, of: one))
        shares.add(most, of: one)
        #expect(!shares.hasRoom(for: 1 << 20, of: one))
        #expect(shares.hasRoom(for: 1 << 10, of: one))
        #expect(shares.hasRoom(for: most, of: other))
        #expect(shares.hasRoom(for: most, of: nil))
        shares.add(bytesInAll - most, of: nil)
        #expect(!shares.hasRoom(for: 1 << 20, of: other))
        #expect(!shares.hasRoom(for: 1 << 20, of: nil))
        shares.remove(most, of: one)
        #expect(shares.hasRoom(for: most, of: one))
    }
}

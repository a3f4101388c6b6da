import BrokerCore
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import BrokerFront

/// Who waits for the share of an address, and for what room for answers.
struct WaitingLinesTests {
    private static func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

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

    /// The loop goes on with nobody here: the line is never worked off.
    @Test("Those that have closed are not kept by the line in which they stand", arguments: [false, true])
    func closed(isWebSocket: Bool) throws {
        var configuration = BrokerConfiguration()
        configuration.allowedHosts = ["*"]
        configuration.limits.rates.workPerAddress = Rate(1, per: .seconds(3600), burst: 1)
        let channel = EmbeddedChannel()
        let access = AccessControl(configuration: configuration, tokens: TokenVerifier(), revocations: nil)
        let shard = Shard(
            loop: 0, eventLoop: channel.eventLoop, configuration: configuration, access: access, hooks: BrokerHooks(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let services = HTTPServices(
            configuration: configuration, listener: configuration.listeners[0], listeners: [], access: access,
            gate: Gatekeeper(configuration), names: LiveNames(configuration), monitor: Monitor(registry: nil))
        let origin = ConnectionOrigin(address: try Self.address("203.0.113.1"), isTrusted: false)
        shard.work.charge(try Self.address("203.0.113.1"), 1_000_000, now: SystemClock.monotonic)

        let pipeline = channel.pipeline.syncOperations
        weak var handler: AnyObject?
        if isWebSocket {
            try pipeline.addHandler(WebSocketHandler(shard: shard, services: services, origin: origin))
            handler = try pipeline.handler(type: WebSocketHandler.self)
            let fields = [
                ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ]
            try channel.writeInbound(ByteBuffer(string: TestSocket.request("GET", "/bayeux", headers: fields)))
            try channel.writeInbound(ByteBuffer(bytes: TestWebSocket.frame(opcode: 1, Array("[]".utf8))))
        } else {
            try HTTPHandler.install(in: channel.pipeline, shard: shard, services: services, origin: origin)
            handler = try pipeline.handler(type: HTTPHandler.self)
            try channel.writeInbound(ByteBuffer(string: TestSocket.request("POST", "/channels/a", body: "1")))
        }
        #expect(shard.counters.delayedReads == 1)
        #expect(handler != nil)
        channel.close(promise: nil)
        channel.embeddedEventLoop.run()
        #expect(handler == nil)
    }

    @Test("Answers that nobody takes: a bound for an address, and one in all", arguments: [32 << 20, 1 << 30])
    func untakenAnswers(bytesInAll: Int) throws {
        let most = min(32 << 20, bytesInAll / 4)
        var answers = UntakenAnswers(bytesInAll: bytesInAll)
        let (one, other) = (try Self.address("203.0.113.1"), try Self.address("203.0.113.2"))
        // The first one always has room, however large it is.
        #expect(answers.hasRoom(for: 2 * bytesInAll, of: one))
        answers.add(most, of: one)
        #expect(!answers.hasRoom(for: 1 << 20, of: one))
        #expect(answers.hasRoom(for: 1 << 10, of: one))
        #expect(answers.hasRoom(for: most, of: other))
        #expect(answers.hasRoom(for: most, of: nil))
        answers.add(bytesInAll - most, of: nil)
        #expect(!answers.hasRoom(for: 1 << 20, of: other))
        #expect(!answers.hasRoom(for: 1 << 20, of: nil))
        answers.remove(most, of: one)
        #expect(answers.hasRoom(for: most, of: one))
    }
}

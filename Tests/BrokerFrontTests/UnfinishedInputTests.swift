import BrokerCore
import Driver
import Testing

@testable import BrokerFront

/// What is sent and not complete has a bound for each address, and one in all.
@Suite(.timeLimit(.minutes(10)))
struct UnfinishedInputTests {
    private final class Connection {}

    @Test("What one address keeps, what all keep, and what is forgotten")
    func bounds() throws {
        var input = UnfinishedInput(bytesInAll: 4 << 20, messageBytes: 1 << 20)
        let (one, other) = (try #require(IPAddress("203.0.113.1")), try #require(IPAddress("203.0.113.2")))
        let connections = (0..<4).map { _ in Connection() }
        func note(_ byteCount: Int, _ number: Int, _ address: IPAddress?) -> Bool {
            input.note(byteCount, of: connections[number], from: address)
        }
        #expect(note(1 << 20, 0, one))
        #expect(!note(16 << 10, 1, one), "a quarter is for one address")
        #expect(note((16 << 10) - 1, 1, one), "a little does not count")
        #expect(note(1 << 20, 1, other))
        // Less of it, and more again: it stays that of the address that it was.
        #expect(note(1 << 19, 0, nil))
        #expect(note(1 << 20, 0, nil))
        #expect(note((1 << 20) + 1, 0, nil), "an address always has room for one")
        #expect(!note(2 << 20, 2, nil), "it is too much in all")
        #expect(note((2 << 20) - 1, 2, nil), "who keeps less than before is not refused for it")
        input.forget(connections[0])
        #expect(note(1 << 20, 3, one))
        #expect(!note((2 << 20) + 1, 2, nil))
        for connection in connections { input.forget(connection) }
        #expect(note(8 << 20, 0, one), "one alone has room, however much it is")
    }

    /// A quarter of 8 MiB is for one address: two of these, of which the last byte is missing.
    private static let padding = String(repeating: "x", count: 950_000)
    private static let one = ("X-Forwarded-For", "203.0.113.1")
    private static let other = ("X-Forwarded-For", "203.0.113.2")

    /// `work` is the share of the loop's time that an address has.
    private static func configure(_ configuration: inout BrokerConfiguration, work: Rate? = nil) {
        configuration.trust.ranges = [AddressRange("127.0.0.1")].compactMap { $0 }
        configuration.limits.queuedBytesInAll = 8 << 20
        configuration.limits.rates.workPerAddress = work
        configuration.metrics = .all
    }

    /// The bytes of a handshake that is so large, in one frame.
    private static func handshake(padding: String) -> [UInt8] {
        let text =
            #"[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"],"ext":{"x":""#
            + padding + #""}}]"#
        let size = withUnsafeBytes(of: UInt64(text.utf8.count).bigEndian) { Array($0) }
        return [0x81, 0xFF] + size + [0, 0, 0, 0] + Array(text.utf8)
    }

    private static func open(
        at broker: TestBroker, _ address: (String, String), isDeaf: Bool = false
    ) async throws -> TestWebSocket {
        let socket = try await TestWebSocket.start(over: broker.connect(), headers: [address], isDeaf: isDeaf)
        try await socket.expectOpen()
        return socket
    }

    private static func openTwo(at broker: TestBroker) async throws -> [TestWebSocket] {
        [try await open(at: broker, one), try await open(at: broker, one)]
    }

    private static func request(_ address: (String, String), padding: String) -> String {
        TestSocket.request("POST", "/channels/a", headers: [address], body: #""\#(padding)""#)
    }

    /// Waits until the broker keeps so many bytes of what has come.
    private static func wait(at broker: TestBroker, until condition: (Double) -> Bool) async throws {
        let socket = try await broker.connect()
        while true {
            guard let kept = try await broker.metrics(over: socket)["fanfare_receive_queue_bytes"] else {
                throw Missing("the gauge")
            }
            if condition(kept) { return }
        }
    }

    @Test("A message that is one too many is refused, those that came before it are taken, and others are served")
    func messages() async throws {
        let frame = Self.handshake(padding: Self.padding)
        let (half, last) = (Array(frame.dropLast()), [frame[frame.count - 1]])
        try await TestBroker.run {
            Self.configure(&$0)
        } _: { broker in
            let senders = try await Self.openTwo(at: broker)
            for sender in senders { try await sender.send(raw: half) }
            try await Self.wait(at: broker) { $0 >= 1_900_000 }
            let third = try await Self.open(at: broker, Self.one, isDeaf: true)
            // The broker takes memory for four times as much, and nothing follows, not even an answer to the refusal.
            try await third.send(raw: Array(half.prefix(60_000)))
            let event = try await third.next()
            guard case .closed(.tryAgainLater, "Too much that is not complete is kept") = event else {
                throw Missing("a refusal, not \(event)")
            }
            #expect(try await broker.metrics()["fanfare_receive_queue_bytes"] ?? 0 < 2_000_000, "that is given back")
            let neighbour = try await Self.open(at: broker, Self.other)
            try await neighbour.send(raw: frame)
            #expect(try await neighbour.nextText().contains(#""successful":true"#))
            for sender in senders {
                try await sender.send(raw: last)
                #expect(try await sender.nextText().contains(#""successful":true"#))
            }
            #expect(try await broker.metrics()["fanfare_receive_queue_bytes"] == 0)
            // What is lost with its connection does not count any more, either.
            let lost = try await Self.openTwo(at: broker)
            for sender in lost { try await sender.send(raw: half) }
            try await Self.wait(at: broker) { $0 >= 1_900_000 }
            for sender in lost { try await sender.socket.close() }
            try await Self.wait(at: broker) { $0 == 0 }
            let back = try await Self.open(at: broker, Self.one)
            try await back.send(raw: frame)
            #expect(try await back.nextText().contains(#""successful":true"#))
            let refused = #"fanfare_connections_closed_total{transport="websocket",reason="unfinished"}"#
            #expect(try await broker.metrics()[refused] == 1)
        }
    }

    @Test("A body that is one too many is refused, those that came before it are taken, and others are served")
    func bodies() async throws {
        func request(_ address: (String, String)) -> String { Self.request(address, padding: Self.padding) }
        let (half, last) = (String(request(Self.one).dropLast()), #"""#)
        try await TestBroker.run {
            Self.configure(&$0)
        } _: { broker in
            let senders = [try await broker.connect(), try await broker.connect()]
            for sender in senders { try await sender.send(half) }
            try await Self.wait(at: broker) { $0 >= 1_900_000 }
            let third = try await broker.connect()
            try await third.send(half)
            let answer = try await third.readAnswer()
            #expect(answer.status == 503 && answer.headers["retry-after"] == "1" && answer.isLast)
            #expect(answer.body.contains("Too much that is not complete is kept"))
            let neighbour = try await broker.connect()
            try await neighbour.send(request(Self.other))
            #expect(try await neighbour.readAnswer().status == 200)
            for sender in senders {
                try await sender.send(last)
                #expect(try await sender.readAnswer().status == 200)
            }
            #expect(try await broker.metrics()["fanfare_receive_queue_bytes"] == 0)
            let lost = [try await broker.connect(), try await broker.connect()]
            for sender in lost { try await sender.send(half) }
            try await Self.wait(at: broker) { $0 >= 1_900_000 }
            for sender in lost { try await sender.close() }
            try await Self.wait(at: broker) { $0 == 0 }
            let back = try await broker.connect()
            try await back.send(request(Self.one))
            #expect(try await back.readAnswer().status == 200)
        }
    }

    @Test("What waits for its turn counts, until it is taken or its connection is gone")
    func turns() async throws {
        let padding = String(repeating: "x", count: 40_000)
        var free = BrokerConfiguration()
        free.allowedHosts = ["*"]
        Self.configure(&free)
        try await TestBroker.run {
            Self.configure(&$0, work: Rate(1, per: .seconds(3600), burst: 1))
        } _: { broker in
            let sockets = try await Self.openTwo(at: broker)
            let senders = [try await broker.connect(), try await broker.connect()]
            // The address has had its share.
            let first = try await broker.connect().request("POST", "/channels/a", headers: [Self.one], body: "1")
            #expect(first.status == 200)
            for socket in sockets { try await socket.send(raw: Self.handshake(padding: padding)) }
            for sender in senders { try await sender.send(Self.request(Self.one, padding: padding)) }
            try await Self.wait(at: broker) { $0 >= 160_000 }
            try await sockets[0].socket.close()
            try await senders[0].close()
            try await Self.wait(at: broker) { $0 < 120_000 }
            try await broker.server.reload(free)
            #expect(try await sockets[1].nextText().contains(#""successful":true"#))
            #expect(try await senders[1].readAnswer().status == 200)
            #expect(try await broker.metrics()["fanfare_receive_queue_bytes"] == 0)
        }
    }
}

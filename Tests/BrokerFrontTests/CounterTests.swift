import BrokerFront
import Testing

/// What connections count as in `/metrics`: that which docs/limits.md and docs/monitoring.md name.
@Suite("Counters of connections", .timeLimit(.minutes(10)))
struct CounterTests {
    private static let handshakes = #"fanfare_connections_rejected_total{reason="handshake"}"#

    private func received(_ transport: String) -> String { #"fanfare_received_bytes_total{transport="\#(transport)"}"# }

    private func run(
        _ configure: (inout BrokerConfiguration) -> Void = { _ in }, _ body: (TestBroker) async throws -> Void
    ) async throws {
        try await TestBroker.run(
            threads: 1,
            {
                $0.metrics = .all
                configure(&$0)
            }, body)
    }

    /// A request is no WebSocket before it is one.
    @Test
    func bytesOfRequests() async throws {
        try await run { broker in
            let socket = try await broker.connect()
            // In two pieces: it is HTTP with the second one.
            let request = Array(TestSocket.request("POST", "/channels/a", body: "12345").utf8)
            try await socket.send(Array(request.prefix(2)))
            try await socket.send(Array(request.dropFirst(2)))
            let answer = try await socket.readAnswer()
            #expect(answer.status == 200)
            let question = TestSocket.request("GET", "/metrics").utf8.count
            let numbers = try await broker.metrics(over: socket)
            #expect(numbers[received("websocket")] == 0)
            #expect(numbers[received("http")] == Double(request.count + question))
            let sent = try #require(numbers[#"fanfare_sent_bytes_total{transport="http"}"#])
            #expect(sent > Double(answer.body.utf8.count + answer.headers.map { $0.key.count }.reduce(0, +)))
            let again = try await broker.metrics(over: socket)
            #expect(again[received("http")] == Double(request.count + 2 * question))
        }
    }

    @Test
    func bytesOfWebSockets() async throws {
        try await run { broker in
            let client = try await TestClient.open(at: broker)
            try await client.publish("1", to: "/a")
            let socket = try await broker.connect()
            let numbers = try await broker.metrics(over: socket)
            #expect(try #require(numbers[received("websocket")]) > 100)
            #expect(numbers[received("http")] == Double(TestSocket.request("GET", "/metrics").utf8.count))
        }
    }

    static let heads = [
        "GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 20_000),
        "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "A: b\r\n", count: 101) + "\r\n",
    ]

    @Test(arguments: heads, [false, true])
    func headsBeyondALimit(head: String, isSecondRequest: Bool) async throws {
        try await run { broker in
            let socket = try await broker.connect()
            if isSecondRequest { #expect(try await socket.request("GET", "/health/live").status == 200) }
            try await socket.send(head)
            #expect(try await socket.readAnswer().status == 431)
            #expect(try await broker.metrics()[Self.handshakes] == 1)
        }
    }

    @Test
    func headThatDoesNotEnd() async throws {
        try await run {
            // The watcher has to make it in time, also on a machine that is busy.
            $0.handshakeTimeout = .seconds(5)
        } _: { broker in
            let watcher = try await broker.connect()
            #expect(try await broker.metrics(over: watcher)[Self.handshakes] == 0)
            let socket = try await broker.connect()
            // On a busy machine the time may be over before it is sent.
            try? await socket.send("GET / HTTP/1.1\r\nHost:")
            #expect(try await socket.readAnswer().status == 408)
            #expect(try await broker.metrics(over: watcher)[Self.handshakes] == 1)
        }
    }
}

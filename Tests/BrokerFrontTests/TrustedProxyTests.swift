import BrokerCore
import BrokerFront
import Testing

/// The client's address behind proxies, over sockets: who counts for limits, and who is the administrator.
@Suite("Behind proxies", .timeLimit(.minutes(10)))
struct TrustedProxyTests {
    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

    private func run(
        trusting ranges: [String] = ["127.0.0.1"], _ configure: (inout BrokerConfiguration) -> Void = { _ in },
        _ body: (TestBroker) async throws -> Void
    ) async throws {
        try await TestBroker.run(
            threads: 1,
            {
                $0.trust.ranges = ranges.compactMap { AddressRange($0) }
                $0.limits.rates.requestsPerAddress = Rate(1, per: .seconds(3600), burst: 1)
                configure(&$0)
            }, body)
    }

    private func status(_ socket: TestSocket, _ headers: (String, String)...) async throws -> Int {
        try await socket.request("GET", "/health/live", headers: headers).status
    }

    /// One connection of the proxy's brings many clients; each is limited by itself, whatever it sends itself.
    @Test
    func limitsAreTheClients() async throws {
        try await run { broker in
            let proxy = try await broker.connect()
            #expect(try await status(proxy, ("X-Forwarded-For", "203.0.113.1")) == 200)
            #expect(try await status(proxy, ("X-Forwarded-For", "203.0.113.2")) == 200)
            #expect(try await status(proxy, ("X-Forwarded-For", "203.0.113.1")) == 429)
            #expect(try await status(proxy, ("X-Forwarded-For", "198.51.100.1, 203.0.113.1")) == 429)
            #expect(try await status(proxy, ("X-Forwarded-For", "203.0.113.1, 127.0.0.1")) == 429)
            #expect(
                try await status(proxy, ("Forwarded", "for=203.0.113.9"), ("X-Forwarded-For", "203.0.113.1")) == 429)
        }
    }

    /// A health check of the proxy's own, which comes often.
    @Test
    func proxyThatSpeaksForNobody() async throws {
        try await run { broker in
            let proxy = try await broker.connect()
            for _ in 0..<5 { #expect(try await status(proxy) == 200) }
            // What cannot be read is no way around the limits.
            #expect(try await status(proxy, ("X-Forwarded-For", "unknown")) == 200)
            #expect(try await status(proxy, ("X-Forwarded-For", "unknown")) == 429)
        }
    }

    @Test
    func theOtherHeader() async throws {
        try await run {
            $0.trust.header = .forwarded
        } _: { broker in
            let proxy = try await broker.connect()
            #expect(try await status(proxy, ("Forwarded", "for=203.0.113.1;proto=https")) == 200)
            #expect(
                try await status(proxy, ("Forwarded", #"for="203.0.113.1:1""#), ("X-Forwarded-For", "1.2.3.4")) == 429)
        }
    }

    @Test
    func strangersAreNotBelieved() async throws {
        try await run(trusting: ["10.0.0.0/8"]) {
            $0.limits.rates.includesLoopback = true
        } _: { broker in
            let stranger = try await broker.connect()
            #expect(try await status(stranger, ("X-Forwarded-For", "203.0.113.1")) == 200)
            #expect(try await status(stranger, ("X-Forwarded-For", "203.0.113.2")) == 429)
        }
    }

    /// WebSockets count as connections of those for whom the proxy opens them, until they are closed.
    @Test
    func connectionsAreTheClients() async throws {
        try await run {
            $0.connectionsPerAddress = 1
        } _: { broker in
            func open(_ client: String) async throws -> TestWebSocket {
                try await .start(over: broker.connect(), headers: [("X-Forwarded-For", client)])
            }
            let first = try await open("203.0.113.1")
            try await first.expectOpen()
            let other = try await open("203.0.113.2")
            try await other.expectOpen()
            guard case .failed = try await open("203.0.113.1").next() else { throw Missing("a refusal") }
            let request = try await broker.connect()
                .request("GET", "/health/live", headers: [("X-Forwarded-For", "203.0.113.1")])
            #expect(request.status == 429 && request.body.contains("Too many connections from your address"))
            try await first.socket.close()
            // The broker hears of it a moment later.
            while try await open("203.0.113.1").next() != .open {}
        }
    }

    /// Requests on a proxy's connection are no new connections of those for whom it speaks; WebSockets that it opens are.
    @Test
    func requestsAreNoConnections() async throws {
        try await run {
            $0.limits.rates.requestsPerAddress = nil
            $0.limits.rates.connectionsPerAddress = Rate(1, per: .seconds(3600), burst: 1)
        } _: { broker in
            let proxy = try await broker.connect()
            for _ in 0..<5 { #expect(try await status(proxy, ("X-Forwarded-For", "203.0.113.1")) == 200) }
            let first = try await TestWebSocket.start(
                over: broker.connect(), headers: [("X-Forwarded-For", "203.0.113.1")])
            try await first.expectOpen()
            let second = try await TestWebSocket.start(
                over: broker.connect(), headers: [("X-Forwarded-For", "203.0.113.1")])
            guard case .failed = try await second.next() else { throw Missing("a refusal") }
            #expect(try await status(proxy, ("X-Forwarded-For", "203.0.113.1")) == 200)
        }
    }

    /// Without keys, whoever is on this machine is the administrator, as long as no proxy is known or seen.
    @Test
    func administrator() async throws {
        let local = [("Host", "127.0.0.1")]
        func status(_ broker: TestBroker, _ headers: [(String, String)]) async throws -> Int {
            let socket = try await broker.connect()
            let lines = headers.map { "\($0): \($1)\r\n" }.joined()
            try await socket.send("GET /admin/stats HTTP/1.1\r\n\(lines)\r\n")
            return try await socket.readAnswer().status
        }
        try await TestBroker.run { broker in
            let code = try await status(broker, local)
            #expect(code == 200)
            let traces = [
                ("X-Forwarded-For", "127.0.0.1"), ("Forwarded", "for=127.0.0.1"), ("X-Forwarded-Proto", "http"),
                ("X-Real-IP", "127.0.0.1"), ("Via", "1.1 a"),
            ]
            for trace in traces { #expect(try await status(broker, local + [trace]) == 403, "\(trace)") }
        }
        try await run { broker in
            let codes = [
                try await status(broker, local), try await status(broker, local + [("X-Forwarded-For", "127.0.0.1")]),
            ]
            #expect(codes == [403, 403])
        }
        try await run(trusting: ["10.0.0.0/8"]) { broker in
            let code = try await status(broker, local)
            #expect(code == 403)
        }
    }

    static let heads: [(name: String, bytes: [UInt8])] = [
        ("version 1", Array("PROXY TCP4 203.0.113.1 127.0.0.1 4711 80\r\n".utf8)),
        ("version 2", signature + [0x21, 0x11, 0, 12, 203, 0, 113, 1, 127, 0, 0, 1, 0x12, 0x67, 0, 80]),
        (
            "version 2 with an extension",
            signature + [0x21, 0x11, 0, 16, 203, 0, 113, 1, 127, 0, 0, 1, 0, 1, 0, 80, 4, 0, 1, 0]
        ),
    ]

    @Test(arguments: heads)
    func proxyProtocol(head: (name: String, bytes: [UInt8])) async throws {
        try await run {
            $0.listeners[0].takesProxyHeader = true
            $0.connectionsPerAddress = 1
        } _: { broker in
            let request = TestSocket.request("GET", "/health/live")
            let first = try await broker.connect()
            // In two pieces, with the request behind them.
            try await first.send(Array(head.bytes.prefix(9)))
            try await first.send(Array(head.bytes.dropFirst(9)) + Array(request.utf8))
            #expect(try await first.readAnswer().status == 200)
            #expect(try await self.status(first, ("X-Forwarded-For", "203.0.113.9")) == 429)
            let second = try await broker.connect()
            try await second.send(head.bytes + Array(request.utf8))
            let answer = try await second.readAnswer()
            #expect(answer.status == 429 && answer.body.contains("Too many connections"))
        }
    }

    @Test
    func webSocketBehindProxyHeader() async throws {
        try await run {
            $0.listeners[0].takesProxyHeader = true
        } _: { broker in
            let socket = try await broker.connect()
            try await socket.send("PROXY TCP4 203.0.113.1 127.0.0.1 4711 80\r\n")
            let webSocket = try await TestWebSocket.start(over: socket)
            try await webSocket.expectOpen()
            let client = try await TestClient.begin(over: webSocket, subscribedTo: "/a")
            try await client.publish("1", to: "/a")
            #expect(try await client.delivery() == #"{"channel":"/a","data":1}"#)
        }
    }

    /// A health check of the proxy's own.
    @Test
    func proxyItself() async throws {
        try await run {
            $0.listeners[0].takesProxyHeader = true
        } _: { broker in
            let socket = try await broker.connect()
            try await socket.send(Self.signature + [0x20, 0, 0, 0])
            #expect(try await status(socket) == 200)
        }
    }

    static let bad: [(sent: String, status: Int, says: String)] = [
        ("GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n", 400, "does not begin with a PROXY header"),
        ("PROXY TCP4 203.0.113.1 127.0.0.1 4711\r\n", 400, "cannot be read"),
        ("PROXY UNKNOWN " + String(repeating: "x", count: 200), 400, "longer than 107 bytes"),
    ]

    @Test(arguments: bad)
    func malformedProxyHeader(row: (sent: String, status: Int, says: String)) async throws {
        try await run {
            $0.listeners[0].takesProxyHeader = true
        } _: { broker in
            let socket = try await broker.connect()
            try await socket.send(row.sent)
            let answer = try await socket.readAnswer()
            #expect(answer.status == row.status && answer.body.contains(row.says) && answer.isLast)
            #expect(await socket.readToEnd().isEmpty)
        }
    }

    /// Who is no trusted proxy cannot say for whom it speaks, and is not waited for: no address's limit holds it.
    @Test
    func strangerWhereProxiesConnect() async throws {
        try await run(trusting: ["10.0.0.1"]) {
            $0.listeners[0].takesProxyHeader = true
            // Longer than a test waits.
            $0.proxyHeaderTimeout = .seconds(600)
        } _: { broker in
            let socket = try await broker.connect()
            let answer = try await socket.readAnswer()
            #expect(answer.status == 403 && answer.body.contains("see trusted-proxies") && answer.isLast)
            #expect(await socket.readToEnd().isEmpty)
        }
    }

    @Test(arguments: ["", "PROXY TCP4 203.0."])
    func proxyHeaderThatDoesNotEnd(beginning: String) async throws {
        try await run {
            $0.listeners[0].takesProxyHeader = true
            $0.proxyHeaderTimeout = .seconds(1)
        } _: { broker in
            let socket = try await broker.connect()
            // On a busy machine the time may be over before it is sent.
            if !beginning.isEmpty { try? await socket.send(beginning) }
            #expect(try await socket.readAnswer().status == 408)
            #expect(await socket.readToEnd().isEmpty)
        }
    }
}

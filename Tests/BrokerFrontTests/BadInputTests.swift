import BrokerFront
import Driver
import Testing

/// What a WebSocket client can do wrong, and what comes of it; a bystander is never disturbed.
@Suite(.timeLimit(.minutes(10)))
struct BadFrameTests {
    struct Row: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let bytes: [UInt8]
        let code: CloseCode
    }
    static let rows = [
        Row(testDescription: "binary message", bytes: TestWebSocket.frame(opcode: 2, [1, 2]), code: .unsupportedData),
        Row(
            testDescription: "message too large", bytes: [0x81, 0xFE, 0x04, 0x01, 0, 0, 0, 0], code: .messageTooBig),
        Row(
            testDescription: "length of 63 bits",
            bytes: [0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0], code: .messageTooBig),
        Row(
            testDescription: "too large in fragments",
            bytes: [0x01, 0xFE, 0x03, 0xFF, 0, 0, 0, 0] + Array(repeating: 0x20, count: 1023)
                + [0x80, 0x82, 0, 0, 0, 0, 0x20, 0x20],
            code: .messageTooBig),
        Row(
            testDescription: "invalid UTF-8", bytes: TestWebSocket.frame(opcode: 1, [0x22, 0xC3, 0x28, 0x22]),
            code: .invalidPayload),
        Row(
            testDescription: "not masked", bytes: TestWebSocket.frame(opcode: 1, Array("[]".utf8), isMasked: false),
            code: .unsupportedData),
        Row(testDescription: "reserved bit", bytes: [0xC1, 0x80, 0, 0, 0, 0], code: .protocolError),
        Row(testDescription: "unknown opcode", bytes: TestWebSocket.frame(opcode: 3, []), code: .protocolError),
        Row(
            testDescription: "continuation of nothing", bytes: TestWebSocket.frame(opcode: 0, []), code: .protocolError),
        Row(
            testDescription: "close with a code that must not be sent",
            bytes: TestWebSocket.frame(opcode: 8, [0x03, 0xED]), code: .protocolError),
    ]

    @Test(arguments: rows, [1, 2])
    func connectionIsClosed(row: Row, threads: Int) async throws {
        try await TestBroker.run(threads: threads) {
            $0.messageBytes = 1024
        } _: { broker in
            let bystander = try await Bystander(at: broker)
            let webSocket = try await TestWebSocket.open(at: broker)
            try await webSocket.send(raw: row.bytes)
            #expect(try await webSocket.nextClose() == row.code)
            #expect(try await bystander.getsMessages())
        }
    }

    /// What came before the fault is carried out and answered.
    @Test
    func repliesGoBeforeTheClose() async throws {
        try await TestBroker.run { broker in
            let webSocket = try await TestWebSocket.open(at: broker)
            let good = TestWebSocket.frame(opcode: 1, Array(#"[{"channel":"/a","data":1,"id":"7"}]"#.utf8))
            try await webSocket.send(raw: good + TestWebSocket.frame(opcode: 2, []))
            #expect(try Message.all(in: try await webSocket.nextText()).first?.id == "7")
            #expect(try await webSocket.nextClose() == .unsupportedData)
        }
    }

    static let ignored = [
        "", " ", "hello", "{", "[", "[1", "{}x", "[{]", "1", "\"text\"", "true", "[{\"channel\":\"/a\",}]",
        "[\"\u{1}\"]", String(repeating: "[", count: 500),
    ]

    @Test(arguments: ignored)
    func textThatIsNoBatchIsIgnored(text: String) async throws {
        try await TestBroker.run { broker in
            let bystander = try await Bystander(at: broker)
            let webSocket = try await TestWebSocket.open(at: broker)
            try await webSocket.send(text)
            // The socket is still there, and nothing came for the text before the answer to this.
            try await webSocket.send("[]")
            #expect(try await webSocket.nextText() == "[]")
            #expect(try await bystander.getsMessages())
        }
    }

    @Test
    func connectionThatVanishes() async throws {
        try await TestBroker.run { broker in
            let bystander = try await Bystander(at: broker)
            let client = try await TestClient.open(at: broker, subscribedTo: "/bystander")
            try await client.webSocket.socket.close()
            #expect(try await bystander.getsMessages())
        }
    }
}

/// Handshakes and requests that are refused.
@Suite(.timeLimit(.minutes(10)))
struct RefusalTests {
    struct Handshake: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var path = "/bayeux"
        var origin: String?
        /// None: accepted.
        var status: Int?
    }
    static let handshakes = [
        Handshake(testDescription: "the endpoint"),
        Handshake(testDescription: "below the endpoint", path: "/bayeux/connect"),
        Handshake(testDescription: "a query", path: "/bayeux?x=1"),
        Handshake(testDescription: "wrong path", path: "/", status: 404),
        Handshake(testDescription: "only a prefix", path: "/bayeuxx", status: 404),
        Handshake(testDescription: "foreign origin", origin: "https://evil.example", status: 403),
        Handshake(testDescription: "no page at all", origin: "null", status: 403),
        Handshake(testDescription: "foreign origin that looks local", origin: "http://localhost.evil", status: 403),
        Handshake(testDescription: "loopback origin", origin: "http://localhost:3000"),
        Handshake(testDescription: "loopback address", origin: "http://127.0.0.1:3000"),
        Handshake(testDescription: "same host", origin: "http://broker.test"),
        Handshake(testDescription: "listed origin", origin: "https://good.example"),
    ]

    @Test(arguments: handshakes, [false, true])
    func handshake(row: Handshake, isSecondRequest: Bool) async throws {
        try await TestBroker.run {
            $0.allowedOrigins = ["https://good.example"]
        } _: { broker in
            let bystander = try await Bystander(at: broker)
            let socket = try await broker.connect()
            if isSecondRequest { #expect(try await socket.request("GET", "/health/live").status == 200) }
            let webSocket = try await TestWebSocket.start(
                over: socket, path: row.path, headers: row.origin.map { [("Origin", $0)] } ?? [])
            switch try await webSocket.next() {
            case .open:
                #expect(row.status == nil)
            case .failed(let violation):
                let status = try #require(row.status, "\(violation)")
                #expect(violation.message.contains("\(status)"))
            case let event:
                Issue.record("\(event)")
            }
            #expect(try await bystander.getsMessages())
        }
    }

    struct Request: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let text: String
        let status: Int
    }
    static let requests = [
        Request(testDescription: "garbage", text: "\u{1}\u{2}\u{3}garbage\r\n\r\n", status: 400),
        Request(testDescription: "TLS", text: "\u{16}\u{3}\u{1}\u{0}\u{5}abcde\r\n\r\n", status: 400),
        Request(
            testDescription: "a field that is not ASCII",
            text: "GET /health/live HTTP/1.1\r\nHost: a\r\nAccept: e\u{301}\u{323}\r\n\r\n", status: 400),
        Request(testDescription: "head too long", text: "GET / HTTP/1.1\r\nX: " + pad, status: 431),
        Request(testDescription: "target too long", text: "GET /" + pad, status: 431),
        Request(
            testDescription: "too many fields",
            text: "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "A: b\r\n", count: 101) + "\r\n", status: 431),
        Request(
            testDescription: "declared body too large",
            text: "POST /channels/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2001\r\n\r\n", status: 413),
        Request(
            testDescription: "sent body too large",
            text: "POST /channels/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7d1\r\n"
                + String(repeating: "a", count: 2001) + "\r\n0\r\n\r\n", status: 413),
    ]
    private static let pad = String(repeating: "a", count: 20_000)

    @Test(arguments: requests, [false, true])
    func request(row: Request, isSecondRequest: Bool) async throws {
        try await TestBroker.run {
            $0.messageBytes = 2000
        } _: { broker in
            let bystander = try await Bystander(at: broker)
            let socket = try await broker.connect()
            if isSecondRequest { #expect(try await socket.request("GET", "/health/live").status == 200) }
            try await socket.send(row.text)
            let answer = try await socket.readAnswer()
            #expect(answer.status == row.status)
            #expect(answer.isLast)
            #expect(await socket.readToEnd().isEmpty)
            #expect(try await bystander.getsMessages())
        }
    }

    /// The refusal gets to a client that sends all of its body before it reads.
    @Test
    func refusalOfALargeBodyIsSeen() async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let size = (1 << 20) + 1
            try await socket.send("POST /channels/a HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n")
            // The socket may stop sending when the broker has ended its side; what it was told is to be read all the same.
            try? await socket.send(Array(repeating: 0x20, count: size))
            #expect(try await socket.readAnswer().status == 413)
        }
    }
}

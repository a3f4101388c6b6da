import Driver
import Testing

/// The opening handshake on the client's side (RFC 6455 §4.1).
@Suite struct ClientHandshakeTests {
    /// What a server answers to the request of that client.
    private func response(to client: ClientEnd, _ options: DriverOptions = .init()) -> String {
        let server = ServerEnd(options)
        server.receive(client.takeOutput())
        server.start()
        return server.takeText()
    }

    @Test func `writes the request`() throws {
        let url = try WebSocketURL("ws://user:p%40ss@example.com:8080/a?b=c")
        let client = ClientEnd(url, DriverOptions(subprotocols: ["x", "y"]))
        #expect(client.state == .idle)
        #expect(client.setHeader("Origin", "http://example.com"))
        #expect(!client.setHeader("Host", "elsewhere"))
        #expect(!client.setHeader("X", "a\r\nb"))
        #expect(client.start())
        #expect(client.state == .connecting)
        let request = client.takeText()
        let key = try #require(request.header("Sec-WebSocket-Key"))
        #expect(
            request == """
                GET /a?b=c HTTP/1.1\r
                Host: example.com:8080\r
                Upgrade: websocket\r
                Connection: Upgrade\r
                Sec-WebSocket-Key: \(key)\r
                Sec-WebSocket-Version: 13\r
                Sec-WebSocket-Protocol: x, y\r
                Authorization: Basic dXNlcjpwQHNz\r
                Origin: http://example.com\r
                \r

                """)
        #expect(!client.start())
        #expect(!client.setHeader("X-Late", "a"))
    }

    @Test func `an Authorization of the owner replaces the URL's`() throws {
        let client = ClientEnd(try WebSocketURL("ws://user:pass@example.com/"))
        #expect(client.setHeader("authorization", "Bearer abc"))
        client.start()
        let request = client.takeText()
        #expect(request.contains("authorization: Bearer abc\r\n"))
        #expect(!request.contains("Basic"))
    }

    @Test func `does not start with a subprotocol that is no token`() throws {
        let client = try ClientEnd(DriverOptions(subprotocols: ["a\r\nb"]))
        #expect(!client.start())
        #expect(!client.hasOutput)
    }

    @Test func `opens, however the response is cut`() throws {
        let sample = try ClientEnd(DriverOptions(subprotocols: ["a"]))
        sample.start()
        let head = response(to: sample, DriverOptions(subprotocols: ["a"]))
        for chunks in cuts(of: Array(head.utf8) + WireFrame.text("hi").unmasked.bytes) {
            let client = try ClientEnd(DriverOptions(subprotocols: ["a"]))
            #expect(client.send("queued"))
            client.start()
            _ = client.takeOutput()
            for chunk in chunks { client.receive(chunk) }
            #expect(client.takeEvents() == [.open, .text("hi")])
            #expect(client.subprotocol == "a")
            #expect(client.status == 101)
            #expect(client.responseHeaders?.first("upgrade") == "websocket")
            #expect(client.takeFrames() == [WrittenFrame(opcode: 1, payload: Array("queued".utf8))])
        }
    }

    struct Answer: Sendable, CustomTestStringConvertible {
        var name: String
        var change: @Sendable (String) -> String
        var message: String?
        var testDescription: String { name }
    }

    static let answers = [
        Answer(
            name: "other status", change: { $0.replacing("101", with: "200") }, message: "Unexpected response code: 200"
        ),
        Answer(name: "no upgrade", change: { $0.without("Upgrade") }, message: "'Upgrade' header is missing"),
        Answer(
            name: "other upgrade", change: { $0.without("Upgrade").with("Upgrade: h2c") },
            message: "'Upgrade' header value is not 'WebSocket'"),
        Answer(name: "no connection", change: { $0.without("Connection") }, message: "'Connection' header is missing"),
        Answer(
            name: "other connection", change: { $0.without("Connection").with("Connection: close") },
            message: "'Connection' header value is not 'Upgrade'"),
        Answer(name: "connection list", change: { $0.without("Connection").with("Connection: keep-alive, UPGRADE") }),
        Answer(name: "upgrade in capitals", change: { $0.without("Upgrade").with("Upgrade: WebSocket") }),
        Answer(
            name: "no accept", change: { $0.without("Sec-WebSocket-Accept") }, message: "Sec-WebSocket-Accept mismatch"),
        Answer(
            name: "other accept",
            change: { $0.without("Sec-WebSocket-Accept").with("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") },
            message: "Sec-WebSocket-Accept mismatch"),
        Answer(
            name: "subprotocol not offered", change: { $0.with("Sec-WebSocket-Protocol: b") },
            message: "Sec-WebSocket-Protocol mismatch"),
        Answer(
            name: "extension not offered", change: { $0.with("Sec-WebSocket-Extensions: x; a=1, y") },
            message: "Server sent an extension response for unknown extension \"x\""),
        Answer(name: "other protocol", change: { _ in "SSH-2.0\r\n\r\n" }, message: "Invalid HTTP response"),
        Answer(name: "no status", change: { $0.replacing("101", with: "1e1") }, message: "Invalid HTTP response"),
        Answer(name: "folded line", change: { $0.with("A: b\r\n c") }, message: "Invalid HTTP response"),
        Answer(name: "control byte", change: { $0.with("A: \u{0}") }, message: "Invalid HTTP response"),
        Answer(
            name: "long head", change: { $0.with("A: " + String(repeating: "b", count: 16_384)) },
            message: "Invalid HTTP response"),
    ]

    @Test(arguments: answers) func `checks the response`(row: Answer) throws {
        let client = try ClientEnd()
        client.start()
        client.receive(row.change(response(to: client)))
        if let message = row.message.map({ "Error during WebSocket handshake: \($0)" }) {
            #expect(client.takeEvents() == Event.violation(.protocolError, message))
            #expect(client.state == .closed)
            #expect(client.shouldCloseTransport)
            #expect(!client.hasOutput)
        } else {
            #expect(client.takeEvents() == [.open])
        }
    }

    @Test func `keeps the status of a refusal`() throws {
        let client = try ClientEnd()
        client.start()
        client.receive("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n\r\n")
        #expect(client.status == 401)
        #expect(client.responseHeaders?.first("www-authenticate") == "Bearer")
    }

    @Test func `waits for an answer until the deadline`() throws {
        let client = try ClientEnd(DriverOptions(handshakeTimeout: .seconds(1)), now: 5)
        client.start()
        #expect(client.nextDeadline == 1_000_000_005)
        client.advance(to: 1_000_000_004)
        #expect(client.takeEvents() == [])
        client.advance(to: 1_000_000_005)
        #expect(client.takeEvents() == Event.violation(.protocolError, "Error during WebSocket handshake: timed out"))
        #expect(client.nextDeadline == nil)
    }

    @Test func `two clients send different keys`() throws {
        let url = try WebSocketURL("ws://a/")
        var first = ClientDriver(url: url)
        var second = ClientDriver(url: url)
        first.start()
        second.start()
        let requests = [first.takeOutput(), second.takeOutput()]
        #expect(requests[0] != requests[1])
    }
}

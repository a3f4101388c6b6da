import Driver
import Testing

/// The opening handshake on the server's side (RFC 6455 §4.2).
@Suite struct ServerHandshakeTests {
    @Test func `accepts the RFC's example, however it is cut`() {
        for chunks in cuts(of: Array(sampleRequest.utf8)) {
            let server = ServerEnd()
            for chunk in chunks { server.receive(chunk) }
            #expect(server.state == .connecting)
            #expect(server.version == "")
            #expect(server.takeEvents() == [.connect(target: "/chat")])
            #expect(server.request?.headers.first("host") == "server.example.com")
            #expect(server.handshakeViolation == nil)
            #expect(server.start())
            #expect(
                server.takeText() == """
                    HTTP/1.1 101 Switching Protocols\r
                    Upgrade: websocket\r
                    Connection: Upgrade\r
                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r
                    \r

                    """)
            #expect(server.takeEvents() == [.open])
            #expect(server.state == .open)
            #expect(server.version == "hybi-13")
            #expect(server.request == nil)
            #expect(!server.start())
        }
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        var name: String
        var request: String
        var status: String
        var message: String
        var testDescription: String { name }
    }

    static let refusals = [
        Refusal(
            name: "other method", request: sampleRequest.replacing("GET", with: "POST"),
            status: "405 Method Not Allowed", message: "Not a WebSocket request"),
        Refusal(
            name: "body of a length", request: sampleRequest.with("Content-Length: 5"),
            status: "400 Bad Request", message: "A WebSocket handshake has no body"),
        Refusal(
            name: "two lengths", request: sampleRequest.with("Content-Length: 0").with("Content-Length: 5"),
            status: "400 Bad Request", message: "A WebSocket handshake has no body"),
        Refusal(
            name: "body in chunks", request: sampleRequest.with("Transfer-Encoding: chunked"),
            status: "400 Bad Request", message: "A WebSocket handshake has no body"),
        Refusal(
            name: "future version", request: sampleRequest.replacing(": 13", with: ": 14"),
            status: "426 Upgrade Required", message: "Unsupported WebSocket version: 14"),
        Refusal(
            name: "two versions", request: sampleRequest.with("Sec-WebSocket-Version: 13"),
            status: "426 Upgrade Required", message: "Unsupported WebSocket version: 13, 13"),
        Refusal(
            name: "no version", request: sampleRequest.without("Sec-WebSocket-Version"),
            status: "426 Upgrade Required", message: "Unsupported WebSocket version: "),
        Refusal(
            name: "no key", request: sampleRequest.without("Sec-WebSocket-Key"),
            status: "400 Bad Request", message: "Missing handshake request header: Sec-WebSocket-Key"),
        Refusal(
            name: "short key",
            request: sampleRequest.replacing("dGhlIHNhbXBsZSBub25jZQ==", with: "dGhlIHNhbXBsZSBub25j"),
            status: "400 Bad Request", message: "Invalid handshake request header: Sec-WebSocket-Key"),
        Refusal(
            name: "key that is no Base64",
            request: sampleRequest.replacing("dGhlIHNhbXBsZSBub25jZQ==", with: "dGhlIHNhbXBsZSBub2-jZQ=="),
            status: "400 Bad Request", message: "Invalid handshake request header: Sec-WebSocket-Key"),
        Refusal(
            name: "two keys", request: sampleRequest.with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
            status: "400 Bad Request", message: "Invalid handshake request header: Sec-WebSocket-Key"),
    ]

    @Test(arguments: refusals) func `refuses what is no handshake`(row: Refusal) throws {
        let server = ServerEnd()
        server.receive(row.request)
        #expect(server.takeEvents() == [.connect(target: "/chat")])
        let violation = try #require(server.handshakeViolation)
        #expect(violation.message == row.message)
        #expect(!server.start())
        let answer = server.takeText()
        #expect(answer.hasPrefix("HTTP/1.1 \(row.status)\r\n"))
        #expect(answer.hasSuffix("\r\n\r\n\(row.message)"))
        #expect(answer.header("Content-Type") == "text/plain")
        #expect(answer.header("Content-Length") == "\(row.message.utf8.count)")
        #expect(answer.header("Connection")?.hasPrefix("close") == true)
        #expect(answer.header("Sec-WebSocket-Version") == (row.status.hasPrefix("426") ? "13, 8, 7" : nil))
        #expect(server.takeEvents() == [.failed(violation), .closed(.protocolError, row.message)])
        #expect(server.state == .closed)
        #expect(server.shouldCloseTransport)
    }

    @Test func `takes a body of no length`() {
        let server = ServerEnd()
        server.receive(sampleRequest.with("Content-Length: 0"))
        #expect(server.start())
    }

    struct BadHead: Sendable, CustomTestStringConvertible {
        var name: String
        var head: [UInt8]
        var status = "400 Bad Request"
        var testDescription: String { name }

        init(_ name: String, _ head: String, status: String = "400 Bad Request") {
            self.name = name
            self.head = Array(head.utf8)
            self.status = status
        }
    }

    static let badHeads = [
        BadHead("line feed alone", "GET / HTTP/1.1\nHost: a\n\n"),
        BadHead("carriage return alone", "GET / HTTP/1.1\rHost: a\r\n\r\n"),
        BadHead("two carriage returns", "GET / HTTP/1.1\r\r\n\r\n"),
        BadHead("control byte", "GET / HTTP/1.1\r\nHost: a\u{1}\r\n\r\n"),
        BadHead("delete byte", "GET / HTTP/1.1\r\nHost: a\u{7F}\r\n\r\n"),
        BadHead("not ASCII", "GET / HTTP/1.1\r\nHost: ä\r\n\r\n"),
        BadHead("folded line", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"),
        BadHead("no colon", "GET / HTTP/1.1\r\nHost\r\n\r\n"),
        BadHead("no name", "GET / HTTP/1.1\r\n: a\r\n\r\n"),
        BadHead("blank before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
        BadHead("name that is no token", "GET / HTTP/1.1\r\nHo(st: a\r\n\r\n"),
        BadHead("no version", "GET /\r\n\r\n"),
        BadHead("two spaces", "GET  / HTTP/1.1\r\n\r\n"),
        BadHead("tab in the target", "GET /\t HTTP/1.1\r\n\r\n"),
        BadHead("method that is no token", "G@T / HTTP/1.1\r\n\r\n"),
        BadHead("version that is none", "GET / HTTP/1.1.1\r\n\r\n"),
        BadHead("TLS", "\u{16}\u{3}\u{1}"),
        BadHead("HTTP/2", "PRI * HTTP/2.0\r\n\r\n", status: "505 HTTP Version Not Supported"),
        BadHead(
            "many headers", "GET / HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 101) + "\r\n",
            status: "431 Request Header Fields Too Large"),
        BadHead(
            "long line", "GET /" + String(repeating: "a", count: 16_384), status: "431 Request Header Fields Too Large"),
        BadHead(
            "empty lines without end", String(repeating: "\r\n", count: 8_193),
            status: "431 Request Header Fields Too Large"),
    ]

    @Test(arguments: badHeads) func `refuses a head that is no HTTP`(row: BadHead) throws {
        for chunks in row.head.count < 100 ? cuts(of: row.head) : [[row.head], row.head.map { [$0] }] {
            let server = ServerEnd()
            for chunk in chunks { server.receive(chunk) }
            #expect(server.takeText().hasPrefix("HTTP/1.1 \(row.status)\r\n"))
            let events = server.takeEvents()
            try #require(events.count == 2)
            guard case .failed(let violation) = events[0] else {
                Issue.record("no violation")
                continue
            }
            #expect(row.status.hasPrefix("\(violation.httpStatus ?? 0) "))
            #expect(violation.httpStatus != 400 || violation.message == "Invalid HTTP request")
            #expect(events[1] == .closed(.protocolError, violation.message))
            #expect(server.shouldCloseTransport)
        }
    }

    @Test(arguments: [100, 101]) func `counts headers`(count: Int) {
        let server = ServerEnd()
        let more = (0..<count - 5).map { "A\($0): b\r\n" }.joined()
        server.receive(sampleRequest.dropLast() + more + "\r\n")
        #expect(server.start() == (count == 100))
    }

    @Test(arguments: [0, 1]) func `counts the bytes of a head`(missing: Int) {
        let server = ServerEnd(DriverOptions(maximumHeadBytes: sampleRequest.utf8.count - missing))
        server.receive(sampleRequest)
        #expect(server.start() == (missing == 0))
    }

    @Test func `skips empty lines before the request`() {
        let server = ServerEnd()
        server.receive("\r\n\r\n" + sampleRequest)
        #expect(server.start())
    }

    @Test func `does not speak hixie when it is switched off`() {
        let plain = sampleRequest.without("Sec-WebSocket-Version").without("Sec-WebSocket-Key")
        for (request, version) in [(plain, "hixie-75"), (plain.with("Sec-WebSocket-Key1: 1 2"), "hixie-76")] {
            let server = ServerEnd(DriverOptions(versions: [.hybi13]))
            server.receive(request)
            #expect(!server.start())
            #expect(server.takeText().hasSuffix("Unsupported WebSocket version: \(version)"))
        }
    }

    struct Subprotocols: Sendable {
        var offered: String?
        var served: [String]
        var chosen: String?
    }

    @Test(arguments: [
        Subprotocols(offered: "a, b", served: ["b", "a"], chosen: "a"),
        Subprotocols(offered: "x,b", served: ["a", "b"], chosen: "b"),
        Subprotocols(offered: "A", served: ["a"], chosen: nil),
        Subprotocols(offered: "x", served: ["a"], chosen: nil),
        Subprotocols(offered: nil, served: ["a"], chosen: nil),
        Subprotocols(offered: "a b", served: ["a b"], chosen: nil),
    ]) func `chooses the client's first subprotocol that is served`(row: Subprotocols) {
        let server = ServerEnd(DriverOptions(subprotocols: row.served))
        server.receive(row.offered.map { sampleRequest.with("Sec-WebSocket-Protocol: \($0)") } ?? sampleRequest)
        #expect(server.start())
        #expect(server.subprotocol == row.chosen)
        #expect(server.takeText().header("Sec-WebSocket-Protocol") == row.chosen)
    }

    @Test func `hands over a request that is none of ours`() {
        let head = "POST /a HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\n\r\n"
        for chunks in cuts(of: Array((head + "abc").utf8)) {
            let server = ServerEnd()
            for chunk in chunks { server.receive(chunk) }
            #expect(server.takeEvents() == [.request(target: "/a")])
            #expect(server.state == .closed)
            #expect(!server.shouldCloseTransport)
            #expect(!server.hasOutput)
            #expect(server.takeReceivedBytes() == Array((head + "abc").utf8))
            #expect(server.takeReceivedBytes() == [])
            server.receive("more")
            server.receiveEnd()
            #expect(server.takeEvents() == [])
        }
    }

    @Test func `takes a head that was parsed elsewhere`() {
        let head = RequestHead(
            target: "/",
            headers: HeaderFields([
                ("upgrade", "WebSocket"), ("connection", "Upgrade"), ("sec-websocket-version", "13"),
                ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ]))
        #expect(ServerDriver.isWebSocketRequest(head))
        let server = ServerEnd(request: head)
        #expect(server.handshakeViolation == nil)
        #expect(server.send("queued"))
        server.receive(WireFrame.text("early").bytes)
        #expect(server.takeEvents() == [])
        #expect(server.start())
        #expect(server.takeEvents() == [.open, .text("early")])
        let output = server.takeOutput()
        #expect(output.suffix(8) == [0x81, 6] + Array("queued".utf8))
    }

    @Test func `the owner may refuse`() {
        let server = ServerEnd()
        server.receive(sampleRequest)
        #expect(server.setHeader("WWW-Authenticate", "Bearer"))
        server.refuse(status: 401, reason: "Who are you?")
        let answer = server.takeText()
        #expect(answer.hasPrefix("HTTP/1.1 401 Unauthorized\r\n"))
        #expect(answer.header("WWW-Authenticate") == "Bearer")
        #expect(answer.header("Connection") == "close")
        #expect(answer.hasSuffix("\r\n\r\nWho are you?"))
        #expect(server.takeEvents() == [.connect(target: "/chat"), .closed(.abnormal, "Who are you?")])
        #expect(server.shouldCloseTransport)
        #expect(!server.start())
        server.refuse(status: 401, reason: "Again")
        #expect(!server.hasOutput)
    }

    struct Header: Sendable {
        var name: String
        var value: String
        var isAccepted = false
    }

    @Test(arguments: [
        Header(name: "X-Good", value: "a b", isAccepted: true),
        Header(name: "Set-Cookie", value: "a=b; Path=/", isAccepted: true),
        Header(name: "X-Bad", value: "a\r\nSet-Cookie: b"),
        Header(name: "X-Bad", value: "a\nb"),
        Header(name: "X-Bad", value: "a\rb"),
        Header(name: "X-Bad", value: "a\u{0}b"),
        Header(name: "X-Bad", value: "ä"),
        Header(name: "X-Bad\r\nY", value: "a"),
        Header(name: "X Bad", value: "a"),
        Header(name: "X-Bad:", value: "a"),
        Header(name: "", value: "a"),
        Header(name: "upgrade", value: "a"),
        Header(name: "Connection", value: "a"),
        Header(name: "Content-Length", value: "0"),
        Header(name: "Transfer-Encoding", value: "chunked"),
        Header(name: "sec-websocket-accept", value: "a"),
        Header(name: "Sec-WebSocket-Extensions", value: "a"),
    ]) func `lets nothing be smuggled into the answer`(row: Header) {
        let server = ServerEnd()
        #expect(server.setHeader(row.name, row.value) == row.isAccepted)
        server.receive(sampleRequest)
        #expect(server.start())
        let answer = server.takeText()
        #expect(answer.contains("\(row.name): \(row.value)\r\n") == row.isAccepted)
        #expect(answer.header("Upgrade") == "websocket")
        #expect(!server.setHeader("X-Late", "a"))
    }

    @Test func `of a header the first value counts, but for cookies`() {
        let server = ServerEnd()
        #expect(server.setHeader("X-A", "1"))
        #expect(server.setHeader("x-a", "2"))
        #expect(server.setHeader("Set-Cookie", "a=1"))
        #expect(server.setHeader("Set-Cookie", "b=2"))
        server.receive(sampleRequest)
        server.start()
        let answer = server.takeText()
        #expect(answer.contains("X-A: 1\r\n"))
        #expect(!answer.contains("x-a: 2"))
        #expect(answer.contains("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"))
    }
}

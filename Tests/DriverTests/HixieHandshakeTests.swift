import Driver
import Support
import Testing

/// The handshakes of draft-hixie-75 and -76.
@Suite struct HixieHandshakeTests {
    static let request75 = """
        GET /demo HTTP/1.1\r
        Host: example.com\r
        Connection: Upgrade\r
        Upgrade: WebSocket\r
        Origin: http://example.com\r
        \r

        """
    static let response75 = """
        HTTP/1.1 101 Web Socket Protocol Handshake\r
        Upgrade: WebSocket\r
        Connection: Upgrade\r
        WebSocket-Origin: http://example.com\r
        WebSocket-Location: ws://example.com/demo\r
        \r

        """
    /// The example of draft-hixie-76 §1.2.
    static let request76 = request75.with(
        "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5", "Sec-WebSocket-Key2: 12998 5 Y3 1  .P00")
    static let body76 = "^n:ds[4U"
    static let head76 = """
        HTTP/1.1 101 WebSocket Protocol Handshake\r
        Upgrade: WebSocket\r
        Connection: Upgrade\r
        Sec-WebSocket-Origin: http://example.com\r
        Sec-WebSocket-Location: ws://example.com/demo\r
        \r

        """
    static let answer76 = "8jKS'y:G*Co,Wxa-"

    @Test func `75 is open at once`() {
        for chunks in cuts(of: Array(Self.request75.utf8)) {
            let server = ServerEnd()
            for chunk in chunks { server.receive(chunk) }
            #expect(server.takeEvents() == [.connect(target: "/demo")])
            #expect(server.send("queued"))
            #expect(server.start())
            #expect(server.state == .open)
            #expect(server.version == "hixie-75")
            #expect(server.takeText() == Self.response75 + "\u{0}queued\u{FFFD}")
            #expect(server.takeEvents() == [.open])
            #expect(server.nextDeadline == nil)
        }
    }

    @Test(arguments: [false, true]) func `76 answers the challenge, however it is cut`(startsLate: Bool) {
        let tail = [UInt8](arrayLiteral: 0x00) + Array("hi".utf8) + [0xFF]
        for chunks in cuts(of: Array((Self.request76 + Self.body76).utf8) + tail) {
            let server = ServerEnd()
            var hasStarted = false
            for chunk in chunks {
                server.receive(chunk)
                if !startsLate, !hasStarted, server.request != nil { hasStarted = server.start() }
            }
            if startsLate { #expect(server.start()) }
            #expect(server.version == "hixie-76")
            #expect(server.takeText() == Self.head76 + Self.answer76)
            #expect(server.takeEvents() == [.connect(target: "/demo"), .open, .text("hi")])
        }
    }

    @Test func `76 sends its head at once and waits for the body`() {
        let server = ServerEnd()
        server.receive(Self.request76)
        #expect(server.start())
        #expect(server.takeText() == Self.head76)
        #expect(server.state == .connecting)
        #expect(server.send("queued"))
        #expect(!server.sendBinary([1]))
        for byte in Self.body76.utf8.dropLast() { server.receive([byte]) }
        #expect(!server.hasOutput)
        #expect(server.state == .connecting)
        #expect(!server.setHeader("X", "late"))
        server.receive("U")
        #expect(server.takeOutput() == Array(Self.answer76.utf8) + [0x00] + Array("queued".utf8) + [0xFF])
        #expect(server.takeEvents() == [.connect(target: "/demo"), .open])
        #expect(server.state == .open)
    }

    @Test func `from an HTTP stack's request the body comes as input`() throws {
        let head = RequestHead(
            method: "GET", target: "/demo", version: "HTTP/1.1",
            headers: HeaderFields(
                Self.request76.split(separator: "\r\n").dropFirst().map { line in
                    let parts = line.split(separator: ": ", maxSplits: 1)
                    return (String(parts[0]), String(parts[1]))
                }))
        let server = ServerEnd(request: head)
        server.receive(String(Self.body76.prefix(3)))
        #expect(server.start())
        server.receive(String(Self.body76.dropFirst(3)))
        #expect(server.takeText() == Self.head76 + Self.answer76)
    }

    struct KeyRow: Sendable {
        var key1: String? = "4 @1  46546xW%0l 1 5"
        var key2: String? = "12998 5 Y3 1  .P00"
        var message: String
    }

    static let invalid = "Client sent invalid Sec-WebSocket-Key headers"
    static let keys = [
        KeyRow(key1: nil, message: "Missing required header: Sec-WebSocket-Key1"),
        KeyRow(key2: nil, message: "Missing required header: Sec-WebSocket-Key2"),
        KeyRow(key1: "12345", message: invalid),  // no spaces
        KeyRow(key1: "a b c", message: invalid),  // no digits
        KeyRow(key2: "1 2 3", message: invalid),  // 123 is not divisible by 2
        KeyRow(key1: "4294967296 ", message: invalid),
        KeyRow(key1: "9 " + String(repeating: "9", count: 500), message: invalid),
        KeyRow(key2: "", message: invalid),
    ]

    @Test(arguments: keys) func `keys that are no challenge`(row: KeyRow) {
        var request = Self.request75
        if let key = row.key1 { request = request.with("Sec-WebSocket-Key1: " + key + "x") }
        if let key = row.key2 { request = request.with("Sec-WebSocket-Key2: " + key + "x") }
        let server = ServerEnd()
        server.receive(request)
        #expect(server.handshakeViolation?.message == row.message)
        _ = server.takeEvents()
        #expect(!server.start())
        let answer = server.takeText()
        #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        #expect(answer.header("Connection") == "close")
        #expect(answer.hasSuffix("\r\n\r\n" + row.message))
        #expect(server.takeEvents() == [.failed(.noStatus, row.message, status: 400), .closed(.noStatus, "")])
    }

    @Test(arguments: ["HTTPS: on", "X-Forwarded-SSL: on", "X-Forwarded-Scheme: https", "X-Forwarded-Proto: https"])
    func `a secure location, as a proxy says`(field: String) {
        let server = ServerEnd()
        server.receive(Self.request75.with(field))
        #expect(server.start())
        #expect(server.takeText().header("WebSocket-Location") == "wss://example.com/demo")
    }

    @Test func `a secure location, as the owner says`() {
        let server = ServerEnd(DriverOptions(isSecure: true))
        server.receive(Self.request75)
        #expect(server.start())
        #expect(server.takeText().header("WebSocket-Location") == "wss://example.com/demo")
    }

    @Test func `without an origin none is repeated`() {
        let server = ServerEnd()
        server.receive(Self.request75.without("Origin"))
        #expect(server.start())
        #expect(server.takeText().header("WebSocket-Origin") == nil)
    }

    @Test(arguments: ["Origin", "Host"]) func `nothing can be injected into the answer`(name: String) {
        var headers = HeaderFields([("Connection", "Upgrade"), ("Upgrade", "WebSocket"), (name, "a\r\nX: y")])
        headers.append("X-Other", "1")
        let server = ServerEnd(
            request: RequestHead(method: "GET", target: "/", version: "HTTP/1.1", headers: headers))
        #expect(!server.start())
        #expect(!server.takeText().contains("X: y"))
    }

    @Test func `subprotocols and fields of the owner`() {
        let server = ServerEnd(DriverOptions(subprotocols: ["b", "c"]))
        server.receive(Self.request76.with("Sec-WebSocket-Protocol: a, c") + Self.body76)
        #expect(server.setHeader("X-Mine", "1"))
        #expect(!server.setHeader("WebSocket-Origin", "x"))
        #expect(server.start())
        let answer = server.takeText()
        #expect(answer.header("Sec-WebSocket-Protocol") == "c")
        #expect(answer.header("X-Mine") == "1")
        #expect(server.subprotocol == "c")
    }

    @Test(arguments: [WebSocketVersion.hixie75, .hixie76]) func `each has its switch`(version: WebSocketVersion) {
        var options = DriverOptions()
        options.versions.remove(version)
        let server = ServerEnd(options)
        server.receive(version == .hixie75 ? Self.request75 : Self.request76)
        #expect(!server.start())
        #expect(server.takeText().hasSuffix("Unsupported WebSocket version: \(version.rawValue)"))
    }

    @Test func `the body has its time, and its stream an end`() {
        let late = ServerEnd(now: 0)
        late.receive(Self.request76)
        late.start()
        _ = (late.takeOutput(), late.takeEvents())
        #expect(late.nextDeadline == 10_000_000_000)
        late.advance(to: 10_000_000_000)
        #expect(late.takeEvents() == [.failed(.noStatus, "Handshake request timed out"), .closed(.noStatus, "")])
        #expect(!late.hasOutput)
        let ended = ServerEnd()
        ended.receive(Self.request76)
        ended.start()
        _ = ended.takeEvents()
        ended.receiveEnd()
        #expect(ended.takeEvents() == [.closed(.abnormal, "")])
    }
}

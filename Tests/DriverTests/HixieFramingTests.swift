import Driver
import Support
import Testing

/// The frames of draft-hixie-75 and -76.
@Suite struct HixieFramingTests {
    static let versions = [WebSocketVersion.hixie75, .hixie76]

    /// An open connection, of which neither side has said anything yet.
    private static func open(_ version: WebSocketVersion, _ options: DriverOptions = .init()) -> ServerEnd {
        let server = ServerEnd(options)
        switch version {
        case .hixie76: server.receive(HixieHandshakeTests.request76 + HixieHandshakeTests.body76)
        default: server.receive(HixieHandshakeTests.request75)
        }
        server.start()
        _ = (server.takeOutput(), server.takeEvents())
        return server
    }

    private static func frame(_ text: String) -> [UInt8] { [0x00] + Array(text.utf8) + [0xFF] }

    struct Row: Sendable {
        var stream: [UInt8]
        var events: [Event]
    }

    static let rows = [
        Row(stream: frame("hello"), events: [.text("hello")]),
        Row(stream: frame(""), events: [.text("")]),
        Row(stream: frame("a") + frame("ä€😀"), events: [.text("a"), .text("ä€😀")]),
        // Any type below 80 begins a text.
        Row(stream: [0x7F] + Array("x".utf8) + [0xFF], events: [.text("x")]),
        // What is no UTF-8 is repaired.
        Row(stream: [0x00, 0x61, 0xC3, 0xFE, 0xFF], events: [.text("a\u{FFFD}\u{FFFD}")]),
        // A length, and so many bytes without event, FF among them.
        Row(stream: [0x80, 0x03, 0xFF, 0x00, 0xFF] + frame("next"), events: [.text("next")]),
        Row(stream: [0x80, 0x81, 0x00] + Array(repeating: 0xFF, count: 128) + frame("next"), events: [.text("next")]),
        Row(stream: frame("last") + [0x80, 0x02, 0xFF, 0xFF] + frame("next"), events: [.text("last"), .text("next")]),
        Row(stream: [0x80, 0x00] + frame("next"), events: [.text("next")]),
        Row(stream: [0x80, 0x80, 0x80, 0x00] + frame("next"), events: [.text("next")]),
    ]

    @Test(arguments: rows, versions) func `reads`(row: Row, version: WebSocketVersion) {
        for chunks in cuts(of: row.stream) {
            let server = Self.open(version)
            for chunk in chunks { server.receive(chunk) }
            #expect(server.takeEvents() == row.events)
            #expect(!server.hasOutput)
            #expect(server.state == .open)
        }
    }

    @Test(arguments: versions) func `writes texts and nothing else`(version: WebSocketVersion) {
        let server = Self.open(version)
        #expect(server.send("ä"))
        #expect(server.takeOutput() == Self.frame("ä"))
        #expect(!server.sendText([0xFF]))
        #expect(!server.sendBinary([1]))
        #expect(!server.ping())
        #expect(!server.pong())
        #expect(!server.hasOutput)
        #expect(server.wireForm == .hixie)
        #expect(PreparedMessage("ä").bytes(for: .hixie) == Self.frame("ä"))
        #expect(PreparedMessage(.binary, [1])?.bytes(for: .hixie) == [])
    }

    @Test func `FF 00 closes 76, and is answered`() {
        for chunks in cuts(of: Self.frame("a") + [0xFF, 0x00] + Self.frame("not read")) {
            let server = Self.open(.hixie76)
            for chunk in chunks { server.receive(chunk) }
            #expect(server.takeEvents() == [.text("a"), .closed(.noStatus, "")])
            #expect(server.takeOutput() == [0xFF, 0x00])
            #expect(server.shouldCloseTransport)
            #expect(!server.send("late"))
            #expect(!server.hasOutput)
        }
    }

    @Test func `FF 00 means nothing in 75`() {
        let server = Self.open(.hixie75)
        server.receive([0xFF, 0x00] + Self.frame("a"))
        #expect(server.takeEvents() == [.text("a")])
    }

    @Test(arguments: versions) func `closing ourselves`(version: WebSocketVersion) {
        let server = Self.open(version)
        #expect(server.close(.normal, "reason"))
        #expect(server.takeOutput() == (version == .hixie76 ? [0xFF, 0x00] : []))
        #expect(server.state == .closed)
        #expect(!server.close())
        #expect(!server.send("late"))
        server.receive(Self.frame("not read"))
        #expect(server.takeEvents() == [.closed(.noStatus, "")])
        #expect(!server.hasOutput)
    }

    @Test(arguments: versions) func `the end of the stream`(version: WebSocketVersion) {
        let server = Self.open(version)
        server.receive([0x00, 0x61])
        server.receiveEnd()
        #expect(server.takeEvents() == [.closed(version == .hixie75 ? .noStatus : .abnormal, "")])
        #expect(server.state == .closed)
    }

    @Test(arguments: versions) func `a text that is too long ends the connection`(version: WebSocketVersion) {
        for chunks in cuts(of: [0x00] + Array(repeating: 0x61, count: 20)) {
            let server = Self.open(version, DriverOptions(maximumMessageBytes: 16))
            for chunk in chunks { server.receive(chunk) }
            let violation = ProtocolViolation(closeCode: .noStatus, message: "WebSocket frame length too large")
            #expect(server.takeEvents() == [.failed(violation), .closed(.noStatus, "")])
            #expect(server.takeOutput() == (version == .hixie76 ? [0xFF, 0x00] : []))
        }
        let server = Self.open(version, DriverOptions(maximumMessageBytes: 16))
        server.receive(Self.frame("exactly 16 bytes"))
        #expect(server.takeEvents() == [.text("exactly 16 bytes")])
    }

    @Test(arguments: versions) func `a length beyond all bounds ends the connection`(version: WebSocketVersion) {
        let server = Self.open(version)
        server.receive([0x80] + Array(repeating: 0xFF, count: 20))
        #expect(server.takeEvents().last == .closed(.noStatus, ""))
    }
}

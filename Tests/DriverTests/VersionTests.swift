import Driver
import Testing

/// The drafts of hybi, and how versions are switched off.
@Suite struct VersionTests {
    private static func request(_ number: String) -> String {
        sampleRequest.replacing("Version: 13", with: "Version: \(number)").with("Sec-WebSocket-Origin: http://a.b")
    }

    struct Row: Sendable {
        var number: String
        var version: WebSocketVersion
        var name: String
    }

    static let rows = [
        Row(number: "7", version: .hybi07, name: "hybi-07"),
        Row(number: "8", version: .hybi08, name: "hybi-08"),
        Row(number: "13", version: .hybi13, name: "hybi-13"),
    ]

    @Test(arguments: rows) func `speaks the drafts of hybi like RFC 6455`(row: Row) {
        let tail = [WireFrame.text("hi"), WireFrame(9, [1]), .close(1001, "bye")].bytes
        for chunks in cuts(of: Array(Self.request(row.number).utf8) + tail) {
            let server = ServerEnd()
            for chunk in chunks { server.receive(chunk) }
            #expect(server.request?.origin == "http://a.b")
            #expect(server.start())
            #expect(server.version == row.name)
            #expect(
                server.takeEvents() == [
                    .connect(target: "/chat"), .open, .text("hi"), .ping([1]), .closed(.goingAway, "bye"),
                ])
            let head = """
                HTTP/1.1 101 Switching Protocols\r
                Upgrade: websocket\r
                Connection: Upgrade\r
                Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r
                \r

                """
            let output = server.takeOutput()
            #expect(output.starts(with: head.utf8))
            let frames = WrittenFrame.parseAll(Array(output.dropFirst(head.utf8.count)), masked: false)
            #expect(frames?.map(\.opcode) == [10, 8])
        }
    }

    @Test(arguments: rows) func `each version has its switch`(row: Row) {
        var options = DriverOptions()
        options.versions.remove(row.version)
        let server = ServerEnd(options)
        server.receive(Self.request(row.number))
        #expect(server.handshakeViolation?.httpStatus == 426)
        #expect(!server.start())
        let others = ["13", "8", "7"].filter { $0 != row.number }.joined(separator: ", ")
        let answer = server.takeText()
        #expect(answer.hasPrefix("HTTP/1.1 426 Upgrade Required\r\n"))
        #expect(answer.header("Sec-WebSocket-Version") == others)
        #expect(answer.hasSuffix("\r\n\r\nUnsupported WebSocket version: \(row.number)"))
    }

    @Test(arguments: rows) func `one switch for all drafts`(row: Row) {
        let server = ServerEnd(DriverOptions(versions: .modern))
        server.receive(Self.request(row.number))
        #expect(server.start() == (row.version == .hybi13))
        #expect(server.takeText().header("Sec-WebSocket-Version") == (row.version == .hybi13 ? nil : "13"))
    }

    @Test(arguments: ["", "0", "6", "9", "07", "13.0", "+8", "8, 8", "hybi"]) func `unknown versions`(number: String) {
        let server = ServerEnd()
        server.receive(Self.request(number))
        #expect(!server.start())
        #expect(server.takeText().header("Sec-WebSocket-Version") == "13, 8, 7")
    }

    @Test func `without any hybi version there is nothing to upgrade to`() {
        let server = ServerEnd(DriverOptions(versions: [.hixie76]))
        server.receive(sampleRequest)
        #expect(!server.start())
        let answer = server.takeText()
        #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        #expect(answer.header("Sec-WebSocket-Version") == nil)
    }

    @Test func `a request's origin`() {
        let both = RequestHead(
            target: "/", headers: HeaderFields([("Sec-WebSocket-Origin", "http://a"), ("origin", "http://b")]))
        #expect(both.origin == "http://b")
        #expect(RequestHead(target: "/", headers: HeaderFields()).origin == nil)
    }

    @Test func `an idle connection stays small`() {
        #expect(MemoryLayout<ServerDriver>.size <= 512)
    }
}

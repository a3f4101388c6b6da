import Driver
import Support
import Testing

/// Frames as they come in (RFC 6455 §5), for servers; each stream whole, byte by byte, cut at each point, with a tail.
@Suite struct FrameTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var name: String
        var frames: [WireFrame]
        var events: [Event]
        /// What the driver writes.
        var answer: [WrittenFrame] = []
        var options = DriverOptions()
        var testDescription: String { name }

        /// A stream that the driver ends by a violation.
        init(_ name: String, _ frames: [WireFrame], before: [Event] = [], _ code: CloseCode, _ message: String) {
            self.name = name
            self.frames = frames
            events = before + Event.violation(code, message)
            let payload = [UInt8(code.rawValue >> 8), UInt8(code.rawValue & 0xFF)] + Array(message.utf8)
            answer = [WrittenFrame(opcode: 8, payload: payload)]
        }

        init(_ name: String, _ frames: [WireFrame], _ events: [Event], answer: [WrittenFrame] = []) {
            self.name = name
            self.frames = frames
            self.events = events
            self.answer = answer
        }

        /// The peer's Close frame, and ours.
        init(close name: String, _ frame: WireFrame, _ code: CloseCode, _ reason: String, echo: [UInt8]) {
            self.init(name, [frame], [.closed(code, reason)], answer: [WrittenFrame(opcode: 8, payload: echo)])
        }

        var isOver: Bool { if case .closed = events.last { true } else { false } }
    }

    static let long = [UInt8](repeating: 0xAB, count: 300)
    static let unfinished = "Received new data frame but previous continuous frame is unfinished"
    static let invalidText = "Could not decode a text frame as UTF-8"

    static let messages = [
        Row("text", [.text("Hello")], [.text("Hello")]),
        Row("empty text", [.text("")], [.text("")]),
        Row("empty binary", [WireFrame(2)], [.binary([])]),
        Row("text that is not ASCII", [.text("κόσμε €😀")], [.text("κόσμε €😀")]),
        Row("binary that is not UTF-8", [WireFrame(2, [0xFF, 0, 0x80])], [.binary([0xFF, 0, 0x80])]),
        Row("125 bytes", [WireFrame(2, Array(long[..<125]))], [.binary(Array(long[..<125]))]),
        Row("126 bytes", [WireFrame(2, Array(long[..<126]))], [.binary(Array(long[..<126]))]),
        Row("length longer than needed", [WireFrame(2, [1], lengthForm: 127)], [.binary([1])]),
        Row("two messages", [.text("a"), WireFrame(2, [1])], [.text("a"), .binary([1])]),
        Row(
            "fragments",
            [.text("He", isFinal: false), WireFrame(0, [0x6C], isFinal: false), WireFrame(0, [0x6C, 0x6F])],
            [.text("Hello")]),
        Row(
            "empty fragments", [WireFrame(2, isFinal: false), WireFrame(0, isFinal: false), WireFrame(0)], [.binary([])]
        ),
        Row(
            "fragments within a character",
            [WireFrame(1, [0xE2], isFinal: false), WireFrame(0, [0x82], isFinal: false), WireFrame(0, [0xAC])],
            [.text("€")]),
        Row(
            "ping between fragments", [.text("a", isFinal: false), WireFrame(9, [7]), WireFrame(0, [0x62])],
            [.ping([7]), .text("ab")], answer: [WrittenFrame(opcode: 10, payload: [7])]),
        Row("ping", [WireFrame(9)], [.ping([])], answer: [WrittenFrame(opcode: 10, payload: [])]),
        Row(
            "ping of 125 bytes", [WireFrame(9, Array(long[..<125]))], [.ping(Array(long[..<125]))],
            answer: [WrittenFrame(opcode: 10, payload: Array(long[..<125]))]),
        Row("pong", [WireFrame(10, [1, 2])], [.pong([1, 2])]),
    ]

    static let violations = [
        Row(
            "RSV1", [WireFrame(1, reservedBits: 0x40)], .protocolError,
            "One or more reserved bits are on: reserved1 = 1, reserved2 = 0, reserved3 = 0"),
        Row(
            "RSV2 and RSV3", [WireFrame(2, reservedBits: 0x30)], .protocolError,
            "One or more reserved bits are on: reserved1 = 0, reserved2 = 1, reserved3 = 1"),
        Row(
            "RSV1 on a ping", [WireFrame(9, reservedBits: 0x40)], .protocolError,
            "One or more reserved bits are on: reserved1 = 1, reserved2 = 0, reserved3 = 0"),
        Row("opcode 3", [WireFrame(3)], .protocolError, "Unrecognized frame opcode: 3"),
        Row("opcode 15", [WireFrame(15, [1])], .protocolError, "Unrecognized frame opcode: 15"),
        Row(
            "fragmented ping", [WireFrame(9, isFinal: false)], .protocolError,
            "Received fragmented control frame: opcode = 9"),
        Row(
            "long ping", [WireFrame(9, Array(long[..<126]))], .protocolError,
            "Received control frame having too long payload: 126"),
        Row(
            "close with the long form of length", [WireFrame(8, [3, 232], lengthForm: 127)], .protocolError,
            "Received control frame having too long payload: 2"),
        Row("text within a message", [.text("a", isFinal: false), .text("b")], .protocolError, unfinished),
        Row("binary within a message", [WireFrame(2, isFinal: false), WireFrame(2)], .protocolError, unfinished),
        Row("lone continuation", [WireFrame(0)], .protocolError, "Received unexpected continuation frame"),
        Row(
            "continuation after a message", [.text("a"), WireFrame(0, isFinal: false)], before: [.text("a")],
            .protocolError, "Received unexpected continuation frame"),
        Row(
            "no mask", [WireFrame.text("a").unmasked], .unsupportedData,
            "Received unmasked frame but masking is required"),
        Row(
            "length with the top bit", [WireFrame(2, announcedBytes: 1 << 63)], .messageTooBig,
            "WebSocket frame length too large"),
        Row("invalid text", [WireFrame(1, [0x61, 0xFF])], .invalidPayload, invalidText),
        Row("invalid text at its first byte", [WireFrame(1, [0x80], announcedBytes: 10)], .invalidPayload, invalidText),
        Row("surrogate", [WireFrame(1, [0xED, 0xA0], announcedBytes: 10)], .invalidPayload, invalidText),
        Row("overlong form", [WireFrame(1, [0xC0], announcedBytes: 2)], .invalidPayload, invalidText),
        Row("above U+10FFFF", [WireFrame(1, [0xF4, 0x90], announcedBytes: 4)], .invalidPayload, invalidText),
        Row("text that ends in a character", [WireFrame(1, [0xE2, 0x82])], .invalidPayload, invalidText),
        Row(
            "fragments that end in a character", [.text("a", isFinal: false), WireFrame(0, [0xE2, 0x82])],
            .invalidPayload, invalidText),
        Row(
            "invalid first fragment", [WireFrame(1, [0xCE, 0xBA, 0xFF], isFinal: false)], .invalidPayload, invalidText),
        Row(
            "invalid across fragments", [WireFrame(1, [0xE2], isFinal: false), WireFrame(0, [0x41], isFinal: false)],
            .invalidPayload, invalidText),
    ]

    static let closes = [
        Row(close: "empty", WireFrame(8), .noStatus, "", echo: []),
        Row(close: "half a code", WireFrame(8, [3]), .protocolError, "", echo: [3, 234]),
        Row(close: "1000 and reason", .close(1000, "bye"), .normal, "bye", echo: [3, 232] + Array("bye".utf8)),
        Row(close: "reason that is not UTF-8", WireFrame(8, [3, 232, 0xFF]), .protocolError, "", echo: [3, 234]),
    ]

    @Test(arguments: messages + violations + closes) func `reads frames however they are cut`(row: Row) {
        let bytes = row.frames.bytes
        for chunks in cuts(of: bytes) {
            let server = ServerEnd.open()
            for chunk in chunks { server.receive(chunk) }
            expect(server, row)
        }
    }

    @Test(arguments: messages + violations + closes) func `leaves alone what follows`(row: Row) {
        let tail = WireFrame.text("tail").bytes
        for chunks in [[row.frames.bytes + tail], [row.frames.bytes, tail]] where row.frames.last?.announcedBytes == nil
        {
            let server = ServerEnd.open()
            for chunk in chunks { server.receive(chunk) }
            var expected = row
            if !row.isOver { expected.events.append(.text("tail")) }
            expect(server, expected)
        }
    }

    private func expect(_ server: ServerEnd, _ row: Row) {
        #expect(server.takeEvents() == row.events)
        #expect(server.takeFrames() == row.answer)
        #expect(server.state == (row.isOver ? .closed : .open))
        #expect(server.shouldCloseTransport == row.isOver)
    }

    @Test(arguments: messages) func `a client reads frames with and without masks`(row: Row) throws {
        for chunks in [row.frames, row.frames.map(\.unmasked)].flatMap({ cuts(of: $0.bytes) }) {
            let client = try ClientEnd.open()
            for chunk in chunks { client.receive(chunk) }
            #expect(client.takeEvents() == row.events)
            #expect(client.takeFrames() == row.answer)
        }
    }

    @Test func `every close code`() {
        for number in UInt16(0)...6000 {
            let isAllowed = [1000, 1001, 1002, 1003].contains(number) || 1007...1014 ~= number || 3000...4999 ~= number
            let server = ServerEnd.open()
            server.receive(WireFrame.close(number, "why").bytes)
            let code = isAllowed ? CloseCode(rawValue: number) : .protocolError
            #expect(server.takeEvents() == [.closed(code, "why")])
            let echo = [UInt8(code.rawValue >> 8), UInt8(code.rawValue & 0xFF)] + Array("why".utf8)
            #expect(server.takeFrames() == [WrittenFrame(opcode: 8, payload: echo)])
        }
    }

    @Test(arguments: [1, 125, 126, 4096, 4097, 65_535, 65_536, 65_537, 200_000]) func `sizes`(count: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        let payload = generator.bytes(count)
        let text = String(repeating: "aé", count: count / 3 + 1)
        for chunkBytes in [1000, 65_536, .max] {
            let server = ServerEnd.open()
            let bytes = [WireFrame(2, payload), .text(text)].bytes
            for start in stride(from: 0, to: bytes.count, by: min(chunkBytes, bytes.count)) {
                server.receive(Array(bytes[start..<min(bytes.count, start + min(chunkBytes, bytes.count))]))
            }
            #expect(server.takeEvents() == [.binary(payload), .text(text)])
        }
    }

    /// One event per call, so that its answer is written before what follows is read.
    @Test func `reads event by event`() {
        let server = ServerEnd.open()
        let message = WireFrame.text("a").bytes
        let bytes = message + WireFrame(3).bytes + message
        #expect(server.receiveNext(bytes) == message.count)
        #expect(server.takeEvents() == [.text("a")])
        #expect(server.send("b"))
        let used = server.receiveNext(Array(bytes[message.count...]))
        #expect(server.takeEvents() == Event.violation(.protocolError, "Unrecognized frame opcode: 3"))
        #expect(server.takeFrames()?.map(\.opcode) == [1, 8])
        let rest = Array(bytes[(message.count + used)...])
        #expect(server.receiveNext(rest) == rest.count)
        #expect(server.takeEvents() == [])
    }
}

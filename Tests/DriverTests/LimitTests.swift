import Driver
import Testing

/// What a peer, or an owner, can make grow has a bound.
@Suite struct LimitTests {
    private static let options = DriverOptions(maximumMessageBytes: 10)
    private static let tooLong = Event.violation(.messageTooBig, "WebSocket frame length too large")

    struct Row: Sendable {
        var frames: [WireFrame]
        var isAccepted: Bool
    }

    @Test(arguments: [
        Row(frames: [WireFrame(2, Array(0..<10))], isAccepted: true),
        Row(frames: [WireFrame(2, Array(0..<11))], isAccepted: false),
        Row(frames: [WireFrame(2, announcedBytes: 11)], isAccepted: false),
        Row(frames: [WireFrame(2, announcedBytes: 200)], isAccepted: false),
        Row(frames: [WireFrame(2, announcedBytes: 70_000)], isAccepted: false),
        Row(frames: [WireFrame(2, announcedBytes: .max)], isAccepted: false),
        Row(
            frames: [WireFrame(2, [1, 2, 3, 4, 5], isFinal: false), WireFrame(0, [1, 2, 3, 4, 5])], isAccepted: true),
        Row(
            frames: [WireFrame(2, [1, 2, 3, 4, 5], isFinal: false), WireFrame(0, announcedBytes: 6)], isAccepted: false),
        Row(frames: [WireFrame(2, Array(0..<10)), WireFrame(2, Array(0..<10))], isAccepted: true),
    ]) func `messages`(row: Row) {
        for chunks in cuts(of: row.frames.bytes) {
            let server = ServerEnd.open(Self.options)
            for chunk in chunks { server.receive(chunk) }
            #expect((server.takeEvents() != Self.tooLong) == row.isAccepted)
            #expect((server.state == .open) == row.isAccepted)
        }
    }

    @Test func `a ping does not count`() {
        let server = ServerEnd.open(Self.options)
        server.receive([WireFrame(2, Array(0..<9), isFinal: false), WireFrame(9, Array(0..<11))].bytes)
        #expect(server.takeEvents() == [.ping(Array(0..<11))])
    }

    @Test(arguments: [0, -1]) func `no limit means the default`(limit: Int) {
        var options = DriverOptions(maximumMessageBytes: limit)
        #expect(options.maximumMessageBytes == 67_108_863)
        options.maximumMessageBytes = 1
        options.maximumMessageBytes = limit
        #expect(options.maximumMessageBytes == 67_108_863)
    }

    @Test func `what is sent before the connection is open`() {
        let server = ServerEnd(DriverOptions(maximumQueuedBytes: 100))
        #expect(server.send(String(repeating: "a", count: 20)))
        #expect(server.ping([1]))
        #expect(server.sendBinary([2]))
        #expect(!server.sendBinary(Array(repeating: 3, count: 30)))
        #expect(server.pong())
        #expect(!server.send(""))
        server.receive(sampleRequest)
        #expect(server.start())
        let output = server.takeOutput()
        let frames = WrittenFrame.parseAll(Array(output.suffix(22 + 3 + 3 + 2)), masked: false)
        #expect(frames?.map(\.opcode) == [1, 9, 2, 10])
    }

    @Test(arguments: [100, 101]) func `what comes before the handshake is answered`(count: Int) {
        let server = ServerEnd(DriverOptions(maximumQueuedBytes: 100))
        server.receive(sampleRequest)
        for _ in 0..<count { server.receive([0x81]) }
        #expect(server.state == (count == 100 ? .connecting : .closed))
        if count == 101 {
            #expect(server.takeText().hasPrefix("HTTP/1.1 400 "))
            #expect(!server.start())
        }
    }

    /// Whatever a header announces, room is made for what has come, and for three times that.
    @Test(arguments: [UInt8(0), 0x40]) func `an announcement reserves nothing`(reservedBits: UInt8) throws {
        let server = try ServerEnd.open([PermessageDeflate()], offering: "permessage-deflate")
        let frame = WireFrame(2, [1], reservedBits: reservedBits, announcedBytes: 67_108_863)
        server.receive(frame.bytes)
        var count = 1
        #expect(server.reservedByteCount <= 4 * count)
        for more in [1, 10, 1000, 100_000] {
            server.receive(Array(repeating: 1, count: more))
            count += more
            #expect(server.reservedByteCount <= 4 * count)
        }
        #expect(server.state == .open)
    }

    @Test func `the length of a control frame reserves nothing`() {
        let server = ServerEnd.open()
        server.receive(WireFrame(9, [1], announcedBytes: 125).bytes)
        #expect(server.reservedByteCount <= 4)
        #expect(server.state == .open)
    }
}

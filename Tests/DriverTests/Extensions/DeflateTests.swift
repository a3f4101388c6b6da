import Driver
import Support
import Testing

@Suite struct DeflateTests {
    static let name = "permessage-deflate"
    static let hello = "f248cdc9c90700".hex
    static let helloAgain = "f200110000".hex

    static func server(
        _ offer: String = name, _ options: DriverOptions = .init(),
        _ change: (inout PermessageDeflate.Options) -> Void = { _ in }
    ) throws -> ServerEnd {
        var deflate = PermessageDeflate.Options()
        change(&deflate)
        return try .open([PermessageDeflate(deflate)], offering: offer, options)
    }

    static func compressed(_ payload: [UInt8], opcode: UInt8 = 1, isFinal: Bool = true) -> [UInt8] {
        WireFrame(opcode, payload, isFinal: isFinal, reservedBits: 0x40).bytes
    }

    static func violation(_ code: CloseCode, _ message: String) -> [Event] {
        Event.violation(code, "\(name): \(message)")
    }

    // RFC 7692 §7.2.3.2.
    @Test func `Hello twice with context takeover`() throws {
        let server = try Self.server()
        #expect(server.send("Hello"))
        #expect(server.send("Hello"))
        let frames = [BitFrame(.rsv1, 1, Self.hello), BitFrame(.rsv1, 1, Self.helloAgain)]
        #expect(BitFrame.parseAll(server.takeOutput()) == frames)
        server.receive(Self.compressed(Self.hello) + Self.compressed(Self.helloAgain))
        #expect(server.takeEvents() == [.text("Hello"), .text("Hello")])
    }

    @Test func `Hello twice without context takeover`() throws {
        let server = try Self.server("\(Self.name); server_no_context_takeover; client_no_context_takeover")
        #expect(server.send("Hello"))
        #expect(server.send("Hello"))
        #expect(
            BitFrame.parseAll(server.takeOutput())
                == [BitFrame(.rsv1, 1, Self.hello), BitFrame(.rsv1, 1, Self.hello)])
        server.receive(Self.compressed(Self.hello) + Self.compressed(Self.hello))
        #expect(server.takeEvents() == [.text("Hello"), .text("Hello")])
        // The context is gone: what refers to it is refused.
        server.receive(Self.compressed(Self.helloAgain))
        #expect(
            server.takeEvents()
                == Self.violation(.invalidPayload, "Could not inflate a message: invalid distance too far back"))
    }

    @Test func `empty messages`() throws {
        let server = try Self.server()
        for _ in 0..<2 { #expect(server.send("") && server.sendBinary([])) }
        #expect(server.send("Hello"))
        let empty = [BitFrame(.rsv1, 1, [0]), BitFrame(.rsv1, 2, [0])]
        #expect(BitFrame.parseAll(server.takeOutput()) == empty + empty + [BitFrame(.rsv1, 1, Self.hello)])
        server.receive(Self.compressed([0]) + Self.compressed([0], opcode: 2) + Self.compressed([]))
        #expect(server.takeEvents() == [.text(""), .binary([]), .text("")])
    }

    @Test func `uncompressed messages pass`() throws {
        let server = try Self.server()
        server.receive(WireFrame.text("a").bytes + WireFrame(2, [1]).bytes)
        server.receive(WireFrame.text("b", isFinal: false).bytes + WireFrame(0, Array("c".utf8)).bytes)
        #expect(server.takeEvents() == [.text("a"), .binary([1]), .text("bc")])
        server.receive(WireFrame(1, [0xC3]).bytes)
        #expect(server.takeEvents() == Event.violation(.invalidPayload, "Could not decode a text frame as UTF-8"))
    }

    @Test func `short messages go uncompressed`() throws {
        let server = try Self.server { $0.minimumBytes = 6 }
        #expect(server.send("Hello") && server.send("Hello!"))
        let frames = BitFrame.parseAll(server.takeOutput())
        #expect(frames?.map(\.bits) == [0, 0x40])
        #expect(frames?.first?.payload == Array("Hello".utf8))
    }

    // RFC 7692 §7.2.3: further forms that a sender may choose.
    @Test(arguments: [
        "000500faff48656c6c6f00",  // a stored block
        "f348cdc9c9070000",  // a final block, and an empty one
        "f348cdc9c90700",  // a final block only
        "f24805000000ffffcac9c90700",  // two blocks
    ]) func forms(payload: String) throws {
        let server = try Self.server()
        for _ in 0..<3 { server.receive(Self.compressed(payload.hex)) }
        #expect(server.takeEvents() == [.text("Hello"), .text("Hello"), .text("Hello")])
        // The window outlives a final block.
        server.receive(Self.compressed(Self.helloAgain))
        #expect(server.takeEvents() == [.text("Hello")])
    }

    @Test func `fragments with control frames between`() throws {
        let fragments: [[UInt8]] = [
            Self.compressed(Array(Self.hello[..<3]), isFinal: false),
            WireFrame(9, [7]).bytes,
            WireFrame(0, [], isFinal: false).bytes,
            WireFrame(0, Array(Self.hello[3..<5]), isFinal: false).bytes,
            WireFrame(10, [8]).bytes,
            WireFrame(0, Array(Self.hello[5...])).bytes,
            WireFrame.text("plain").bytes,
        ]
        let events: [Event] = [.ping([7]), .pong([8]), .text("Hello"), .text("plain")]
        for chunks in cuts(of: Array(fragments.joined())) {
            let server = try Self.server()
            for chunk in chunks { server.receive(chunk) }
            #expect(server.takeEvents() == events)
            #expect(BitFrame.parseAll(server.takeOutput()) == [BitFrame([], 10, [7])])
        }
    }

    struct BadFrame: Sendable, CustomTestStringConvertible {
        let name: String
        let frames: [WireFrame]
        let bits: String
        var testDescription: String { name }
    }

    @Test(arguments: [
        BadFrame(
            name: "RSV1 on a continuation",
            frames: [WireFrame.text("a", isFinal: false), WireFrame(0, reservedBits: 0x40)], bits: "1, 0, 0"),
        BadFrame(name: "RSV1 on a ping", frames: [WireFrame(9, reservedBits: 0x40)], bits: "1, 0, 0"),
        BadFrame(name: "RSV1 on a close", frames: [WireFrame(8, reservedBits: 0x40)], bits: "1, 0, 0"),
        BadFrame(name: "RSV1 and RSV2", frames: [WireFrame(1, reservedBits: 0x60)], bits: "1, 1, 0"),
        BadFrame(name: "RSV3", frames: [WireFrame(2, reservedBits: 0x10)], bits: "0, 0, 1"),
    ]) func `reserved bits`(row: BadFrame) throws {
        let server = try Self.server()
        server.receive(row.frames.bytes)
        let bits = row.bits.split(separator: ", ")
        #expect(
            server.takeEvents()
                == Event.violation(
                    .protocolError,
                    "One or more reserved bits are on: reserved1 = \(bits[0]), reserved2 = \(bits[1]), "
                        + "reserved3 = \(bits[2])"))
    }

    struct Corrupt: Sendable, CustomTestStringConvertible {
        let payload: String
        let detail: String
        var testDescription: String { payload }
    }

    @Test(arguments: [
        Corrupt(payload: "ff", detail: "invalid block type"),
        Corrupt(payload: "f248cd", detail: "invalid stored block lengths"),
        Corrupt(payload: "000500fbff48656c6c6f00", detail: "invalid stored block lengths"),
        Corrupt(payload: "00ffff000041", detail: "unexpected end"),
        Corrupt(payload: "f200110000", detail: "invalid distance too far back"),
    ]) func corrupt(row: Corrupt) throws {
        for isFragmented in [false, true] {
            let server = try Self.server()
            let payload = row.payload.hex
            server.receive(
                isFragmented
                    ? Self.compressed([payload[0]], isFinal: false) + WireFrame(0, Array(payload[1...])).bytes
                    : Self.compressed(payload))
            let events = server.takeEvents()
            guard case .failed(let violation)? = events.first else {
                Issue.record("no violation: \(events)")
                return
            }
            #expect(violation.closeCode == .invalidPayload)
            #expect(violation.message.hasPrefix("permessage-deflate: Could not inflate a message: "))
            #expect(events == [.failed(violation), .closed(.invalidPayload, violation.message)])
            #expect(server.state == .closed)
        }
    }

    /// Any bytes make a message or a violation, and the same ones however they are cut.
    @Test(arguments: 0..<200) func `random bytes`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var payload = Self.hello + generator.bytes(Int.random(in: 0...8, using: &generator))
        payload[Int.random(in: 0..<payload.count, using: &generator)] ^= 1 << UInt8.random(in: 0...7, using: &generator)
        let bytes = Self.compressed(payload, opcode: 2)
        let whole = try Self.server()
        whole.receive(bytes)
        let events = whole.takeEvents()
        #expect(!events.isEmpty)
        let bytewise = try Self.server()
        for byte in bytes { bytewise.receive([byte]) }
        #expect(bytewise.takeEvents() == events)
    }

    @Test func `UTF-8 is checked after inflation`() throws {
        let sender = try Self.server()
        #expect(sender.sendBinary([0x61, 0xC3]) && sender.sendBinary(Array("é😀".utf8)))
        let frames = try #require(BitFrame.parseAll(sender.takeOutput()))
        let server = try Self.server()
        // Deflated bytes are no UTF-8, which does not matter.
        server.receive(Self.compressed(Self.hello))
        #expect(server.takeEvents() == [.text("Hello")])
        let good = try Self.server()
        good.receive(Self.compressed(frames[0].payload, opcode: 2) + Self.compressed(frames[1].payload))
        #expect(good.takeEvents() == [.binary([0x61, 0xC3]), .text("é😀")])
        let bad = try Self.server()
        bad.receive(Self.compressed(frames[0].payload))
        #expect(bad.takeEvents() == Event.violation(.invalidPayload, "Could not decode a text frame as UTF-8"))
        #expect(BitFrame.parseAll(bad.takeOutput())?.first?.payload.prefix(2) == [0x03, 0xEF])
    }

    /// Half of the bomb is no deflate, which shows how far it was inflated.
    @Test(arguments: [false, true]) func bombs(isFragmented: Bool) throws {
        let sender = try Self.server()
        #expect(sender.sendBinary([UInt8](repeating: 0, count: 40_000_000)))
        var bomb = try #require(BitFrame.parseAll(sender.takeOutput())?.first?.payload)
        #expect(bomb.count < 40_000)
        for index in (bomb.count / 2)..<bomb.count { bomb[index] = 0xFF }
        let patient = try Self.server()
        patient.receive(Self.compressed(bomb, opcode: 2))
        guard case .closed(.invalidPayload, _)? = patient.takeEvents().last else {
            Issue.record("the end of the bomb is not corrupt")
            return
        }
        let server = try Self.server(Self.name, DriverOptions(maximumMessageBytes: 50_000))
        if isFragmented {
            server.receive(Self.compressed(Array(bomb[..<10]), opcode: 2, isFinal: false))
            server.receive(WireFrame(0, Array(bomb[10..<20]), isFinal: false).bytes)
            server.receive(WireFrame(0, Array(bomb[20...])).bytes)
        } else {
            server.receive(Self.compressed(bomb, opcode: 2))
        }
        #expect(server.takeEvents() == Self.violation(.messageTooBig, "Message is too large when decoded"))
        #expect(BitFrame.parseAll(server.takeOutput())?.first?.payload.prefix(2) == [0x03, 0xF1])
    }

    @Test(arguments: [1000, 16_383, 16_384, 16_385, 50_000]) func `the bound is exact`(bound: Int) throws {
        let sender = try Self.server()
        #expect(sender.sendBinary([UInt8](repeating: 65, count: bound)))
        #expect(sender.sendBinary([UInt8](repeating: 65, count: bound + 1)))
        let frames = try #require(BitFrame.parseAll(sender.takeOutput()))
        let server = try Self.server(Self.name, DriverOptions(maximumMessageBytes: bound))
        server.receive(Self.compressed(frames[0].payload, opcode: 2))
        #expect(server.takeEvents() == [.binary([UInt8](repeating: 65, count: bound))])
        server.receive(Self.compressed(frames[1].payload, opcode: 2))
        #expect(server.takeEvents() == Self.violation(.messageTooBig, "Message is too large when decoded"))
    }

    @Test func `idle memory is given back only where nothing depends on it`() throws {
        let takeover = try Self.server()
        #expect(takeover.send("Hello"))
        takeover.receive(Self.compressed(Self.hello))
        takeover.releaseIdleMemory()
        #expect(takeover.send("Hello"))
        takeover.receive(Self.compressed(Self.helloAgain))
        #expect(BitFrame.parseAll(takeover.takeOutput())?.last?.payload == Self.helloAgain)
        #expect(takeover.takeEvents() == [.text("Hello"), .text("Hello")])

        let fresh = try Self.server("\(Self.name); server_no_context_takeover; client_no_context_takeover")
        for _ in 0..<2 {
            #expect(fresh.send("Hello"))
            fresh.receive(Self.compressed(Self.hello))
            fresh.releaseIdleMemory()
        }
        #expect(BitFrame.parseAll(fresh.takeOutput())?.last?.payload == Self.hello)
        #expect(fresh.takeEvents() == [.text("Hello"), .text("Hello")])
    }

    @Test func `an idle connection is small`() {
        #expect(MemoryLayout<ServerDriver>.size <= 512)
    }

    @Test func `messages queued before the connection is open are compressed`() throws {
        let server = ServerEnd()
        try server.add(PermessageDeflate())
        #expect(server.send("Hello"))
        server.receive(sampleRequest.with("Sec-WebSocket-Extensions: \(Self.name)"))
        server.start()
        #expect(server.takeOutput().suffix(9) == [0xC1, 7] + Self.hello)
    }
}

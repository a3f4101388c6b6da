import Testing

@testable import Driver

/// What the drivers write (RFC 6455 §5).
@Suite struct SendingTests {
    struct Row: Sendable {
        var count: Int
        var header: [UInt8]
    }

    static let rows = [
        Row(count: 0, header: [0x82, 0]),
        Row(count: 125, header: [0x82, 125]),
        Row(count: 126, header: [0x82, 126, 0, 126]),
        Row(count: 65_535, header: [0x82, 126, 0xFF, 0xFF]),
        Row(count: 65_536, header: [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ]

    @Test(arguments: rows) func `lengths`(row: Row) throws {
        let payload = [UInt8](repeating: 7, count: row.count)
        let server = ServerEnd.open()
        #expect(server.sendBinary(payload))
        let written = server.takeOutput()
        #expect(written == row.header + payload)

        let client = try ClientEnd.open()
        #expect(client.sendBinary(payload))
        #expect(client.takeFrames() == [WrittenFrame(opcode: 2, payload: payload)])

        #expect(FrameEncoder.serverFrameBytes(payloadBytes: row.count) == written.count)
        var appended: [UInt8] = [1]
        #expect(FrameEncoder.appendServerFrame(.binary, payload.span.bytes, to: &appended))
        #expect(appended == [1] + written)
        var header: [UInt8] = []
        #expect(FrameEncoder.appendServerHeader(.binary, payloadBytes: row.count, to: &header))
        #expect(header == row.header)
        let encoded = [UInt8](unsafeUninitializedCapacity: written.count) { buffer, count in
            count = FrameEncoder.encodeServerFrame(
                .binary, payload.span.bytes, into: UnsafeMutableRawBufferPointer(buffer))
        }
        #expect(encoded == written)
    }

    @Test func `no illegal control frame`() throws {
        let long = [UInt8](repeating: 0, count: 126)
        let server = ServerEnd.open()
        let client = try ClientEnd.open()
        #expect(!server.ping(long))
        #expect(!server.pong(long))
        #expect(!client.ping(long))
        #expect(!client.pong(long))
        #expect(!server.hasOutput)
        #expect(!client.hasOutput)
        var bytes: [UInt8] = []
        #expect(!FrameEncoder.appendServerFrame(.ping, long.span.bytes, to: &bytes))
        #expect(!FrameEncoder.appendServerHeader(.close, payloadBytes: 126, to: &bytes))
        #expect(bytes == [])
        #expect(server.ping(Array(long.dropLast())))
        #expect(server.takeFrames() == [WrittenFrame(opcode: 9, payload: Array(long.dropLast()))])
    }

    @Test func `text must be UTF-8`() throws {
        let server = ServerEnd.open()
        let client = try ClientEnd.open()
        #expect(!server.sendText([0x61, 0xFF]))
        #expect(!client.sendText([0xE2, 0x82]))
        #expect(server.sendText(Array("é".utf8)))
        #expect(server.takeFrames() == [WrittenFrame(opcode: 1, payload: Array("é".utf8))])
        #expect(!client.hasOutput)
    }

    @Test func `a client masks each frame with a new key`() throws {
        let client = try ClientEnd.open()
        for _ in 0..<3 { #expect(client.send("same")) }
        let output = client.takeOutput()
        let keys = [0, 10, 20].map { Array(output[($0 + 2)..<($0 + 6)]) }
        #expect(Set(keys).count == 3)
    }

    @Test func `output is lent once, and kept when writing fails`() throws {
        struct Stuck: Error {}
        var driver = ServerDriver(request: RequestHead(target: "/", headers: HeaderFields()))
        var sink = RecordingSink()
        driver.refuse(status: 404, reason: "", into: &sink)
        #expect(throws: Stuck.self) { try driver.drainOutput { _ in throw Stuck() } }
        let count = driver.drainOutput { $0.byteCount }
        let rest = driver.drainOutput { $0.byteCount }
        #expect(count > 0)
        #expect(rest == 0)
    }

    @Test func `drivers share scratch without mixing`() {
        let scratch = DriverScratch()
        var outputs: [[UInt8]] = []
        var drivers: [Int] = []
        var first = ServerDriver(scratch: scratch)
        var second = ServerDriver(scratch: scratch)
        var sink = RecordingSink()
        first.receive(Array(sampleRequest.utf8).span.bytes, into: &sink)
        second.receive(Array(sampleRequest.utf8).span.bytes, into: &sink)
        first.start(into: &sink)
        second.start(into: &sink)
        first.drainOutput { drivers.append($0.byteCount) }
        second.drainOutput { drivers.append($0.byteCount) }
        first.text("one")
        second.text("two")
        first.drainOutput { outputs.append($0.withUnsafeBytes(Array.init)) }
        first.text("three")
        second.drainOutput { outputs.append($0.withUnsafeBytes(Array.init)) }
        outputs.append(first.takeOutput())
        let texts = outputs.map { String(decoding: $0.dropFirst(2), as: UTF8.self) }
        #expect(texts == ["one", "two", "three"])
    }
}

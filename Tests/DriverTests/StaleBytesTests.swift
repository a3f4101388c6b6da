import Driver
import Testing

/// Memory is shared by the drivers of a thread, and used again: nothing of what was in it goes to anybody.
@Suite struct StaleBytesTests {
    private static let poison: UInt8 = 0xAA

    private struct Sink: DriverSink {
        var received: [[UInt8]] = []

        mutating func message(_ payload: RawSpan, kind: MessageKind) {
            received.append(payload.withUnsafeBytes { Array($0) })
        }
    }

    private static func open(_ scratch: DriverScratch) -> ServerDriver {
        var driver = ServerDriver(scratch: scratch)
        var sink = Sink()
        driver.receive(Array(sampleRequest.utf8).span.bytes, into: &sink)
        _ = driver.start(into: &sink)
        _ = driver.takeOutput()
        return driver
    }

    /// A frame with the mask 0.
    private static func frame(_ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true) -> [UInt8] {
        let length: [UInt8] =
            payload.count < 126
            ? [0x80 | UInt8(payload.count)] : [0xFE, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        return [(isFinal ? 0x80 : 0) | opcode] + length + [0, 0, 0, 0] + payload
    }

    /// Fills all that a scratch keeps, whole and in pieces.
    private static func fill(_ scratch: DriverScratch) {
        var driver = open(scratch)
        var sink = Sink()
        let bytes = frame(2, Array(repeating: poison, count: 60_000))
        driver.receive(bytes.span.bytes, into: &sink)
        for byte in bytes.prefix(5_000) { driver.receive([byte].span.bytes, into: &sink) }
        var other = open(scratch)
        let ping = frame(9, Array(repeating: poison, count: 125))
        for byte in ping { other.receive([byte].span.bytes, into: &sink) }
        _ = other.takeOutput()
    }

    @Test(arguments: [0, 1, 2, 3, 4, 5, 7, 8, 63, 64, 65, 124, 125])
    func `a pong is what the ping was`(count: Int) {
        let scratch = DriverScratch()
        Self.fill(scratch)
        let payload = (0..<count).map { UInt8($0) }
        let expected = [0x8A, UInt8(count)] + payload
        let bytes = Self.frame(9, payload)
        for cut in 0...bytes.count {
            var driver = Self.open(scratch)
            var sink = Sink()
            driver.receive(Array(bytes[..<cut]).span.bytes, into: &sink)
            Self.fill(scratch)
            driver.receive(Array(bytes[cut...]).span.bytes, into: &sink)
            let output = driver.takeOutput()
            #expect(output == expected)
        }
    }

    @Test(arguments: [1, 125, 126, 4_000])
    func `a message is what was sent`(count: Int) {
        let scratch = DriverScratch()
        let payload = (0..<count).map { UInt8($0 % 128) }
        let pieces = [
            Self.frame(1, Array(payload[..<(count / 2)]), isFinal: false), Self.frame(0, [], isFinal: false),
            Self.frame(0, Array(payload[(count / 2)...])),
        ]
        var driver = Self.open(scratch)
        var sink = Sink()
        for piece in pieces {
            Self.fill(scratch)
            driver.receive(piece.span.bytes, into: &sink)
        }
        #expect(sink.received == [payload])
        Self.fill(scratch)
        driver.send(.text, payload.span.bytes)
        let output = driver.takeOutput()
        #expect(Array(output.suffix(count)) == payload)
        #expect(output.count == count + (count < 126 ? 2 : 4))
    }

    @Test func `a close holds its reason and nothing else`() {
        let scratch = DriverScratch()
        Self.fill(scratch)
        var driver = Self.open(scratch)
        Self.fill(scratch)
        driver.close(.normal, reason: "bye", now: 0)
        let output = driver.takeOutput()
        #expect(output == [0x88, 5, 0x03, 0xE8] + Array("bye".utf8))
    }
}

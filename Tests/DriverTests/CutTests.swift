import Driver
import Support
import Testing

/// One chunk is as good as many.
@Suite struct CutTests {
    @Test func `control frames that are cut while we close do not add up`() {
        let frames = [WireFrame(9, [1, 2, 3]), WireFrame(10, [4, 5]), .close(4000, "bye")]
        for chunks in cuts(of: frames.bytes) {
            let server = ServerEnd.open()
            server.close()
            for chunk in chunks { server.receive(chunk) }
            #expect(server.takeEvents() == [.closed(CloseCode(rawValue: 4000), "bye")])
        }
    }

    @Test func `random streams, right and wrong, do not depend on their cuts`() {
        var random = SeededGenerator(seed: 7)
        for round in 0..<2000 {
            var stream = Self.frames(using: &random, longTexts: round % 3 == 0).bytes
            if round % 5 == 0 {
                stream[Int.random(in: 0..<min(stream.count, 20), using: &random)] ^=
                    1 << UInt8.random(in: 0..<8, using: &random)
            }
            let options = DriverOptions(maximumMessageBytes: Self.pick([0, 127, 6000], using: &random))
            let isClosing = round % 4 == 1
            let whole = Self.play(stream, options, isClosing: isClosing) { $0 }
            let single = Self.play(stream, options, isClosing: isClosing) { _ in 1 }
            let mixed = Self.play(stream, options, isClosing: isClosing) { _ in Int.random(in: 1...300, using: &random)
            }
            #expect(whole == single)
            #expect(whole == mixed)
        }
    }

    private struct Outcome: Equatable {
        let events: [Event]
        let output: [UInt8]
    }

    /// Feeds the stream in pieces of the size that `cut` says for what is left.
    private static func play(
        _ stream: [UInt8], _ options: DriverOptions, isClosing: Bool, _ cut: (Int) -> Int
    ) -> Outcome {
        let end = ServerEnd.open(options)
        if isClosing { end.close() }
        var rest = stream[...]
        while !rest.isEmpty {
            let piece = rest.prefix(cut(rest.count))
            end.receive(Array(piece))
            rest = rest.dropFirst(piece.count)
        }
        return Outcome(events: end.takeEvents(), output: end.takeOutput())
    }

    private static func frames(using random: inout SeededGenerator, longTexts: Bool) -> [WireFrame] {
        var frames: [WireFrame] = []
        var isOpen = false
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            let size = pick([0, 1, 5, 7, 8, 31, 33, 124, 125, 126, 127, 128, 300, 5000], using: &random)
            let isFinal = Int.random(in: 0..<4, using: &random) > 0
            switch Int.random(in: 0..<10, using: &random) {
            case 0: frames.append(WireFrame(9, Array(repeating: 7, count: min(size, 125))))
            case 1: frames.append(WireFrame(10, Array(repeating: 8, count: min(size, 125))))
            case 2: frames.append(.close(1000, "x"))
            case 3: frames.append(WireFrame(UInt8.random(in: 0...15, using: &random), [1], isFinal: isFinal))
            default:
                let unit: [UInt8] = pick(
                    [[0x61], [0x61, 0xC3, 0xA9], [0xE2, 0x82, 0xAC, 0x62], [0x61, 0xFF]], using: &random)
                let count = longTexts ? max(size, 1) : size
                let text = Array(repeatElement(unit, count: count).joined().prefix(count))
                let opcode = isOpen ? 0 : UInt8.random(in: 1...2, using: &random)
                frames.append(WireFrame(opcode, text, isFinal: isFinal))
                isOpen = !isFinal
            }
        }
        return frames
    }

    private static func pick<Value>(_ values: [Value], using random: inout SeededGenerator) -> Value {
        values[Int.random(in: values.indices, using: &random)]
    }
}

/// How a stream is cut into the chunks that a driver gets.
package enum Split: CaseIterable {
    /// In one chunk.
    case whole
    /// Byte by byte.
    case single
    /// In chunks of 1 to 64 bytes, mostly short; the same input is always cut at the same places.
    case random

    /// Calls `body` with each chunk, in memory of exactly its size.
    package func forEachChunk(of stream: [UInt8], _ body: (UnsafeRawBufferPointer) -> Void) {
        switch self {
        case .whole:
            withExactCopy(stream, body)
        case .single:
            let place = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)
            defer { place.deallocate() }
            for byte in stream {
                place[0] = byte
                body(UnsafeRawBufferPointer(place))
            }
        case .random:
            var generator = SplitMix(
                seed: stream.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 })
            var rest = stream[...]
            while !rest.isEmpty {
                let number = Int(truncatingIfNeeded: generator.next() >> 1)
                let chunk = rest.prefix(1 + (number & 7 == 0 ? number >> 3 & 63 : number >> 3 & 7))
                rest = rest.dropFirst(chunk.count)
                withExactCopy(chunk, body)
            }
        }
    }
}

/// Compares what all ways to cut a stream lead to, and stops the process if they differ.
package func compareSplits(_ run: (Split) -> Outcome) {
    let whole = run(.whole)
    for split in [Split.single, .random] {
        let other = run(split)
        if whole != other { fatalError("one chunk differs from \(split):\n\(whole)\n\(other)") }
    }
}

/// Random numbers that depend on the seed only (SplitMix64).
package struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }
}

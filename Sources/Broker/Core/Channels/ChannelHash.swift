/// A seeded hash of channel patterns that yields the hashes of all patterns for a name in one pass over its bytes.
///
/// A pattern is hashed as its prefix (all before the wildcard) and its kind. The prefix is taken in words of 8 bytes;
/// the state after each whole word belongs to every longer prefix as well, so a pattern costs two multiplications more
/// and not a pass of its own. Mixing is by folding the 128-bit product with secret factors: names come from strangers,
/// who must not be able to choose names that collide. Equal hashes prove nothing; the table compares bytes.
package struct ChannelHash: Sendable {
    private let start: UInt64
    private let wordFactor: UInt64
    private let lengthFactor: UInt64
    private let exactFactor: UInt64
    private let childrenFactor: UInt64
    private let descendantsFactor: UInt64

    /// Spreads the seed over the secret factors (the SplitMix64 sequence).
    package init(seed: UInt64) {
        var state = seed
        func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var word = state
            word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
            word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
            return word ^ word >> 31
        }
        start = next()
        wordFactor = next() | 1
        lengthFactor = next() | 1
        exactFactor = next() | 1
        childrenFactor = next() | 1
        descendantsFactor = next() | 1
    }

    /// The hash of one pattern, given all its bytes before the wildcard.
    package func hash(ofPrefix prefix: UnsafeRawBufferPointer, kind: ChannelPattern.Kind) -> UInt32 {
        var state = start
        var offset = 0
        while prefix.count - offset > 8 {
            state = fold(state ^ Self.word(at: offset, in: prefix), wordFactor)
            offset += 8
        }
        return finish(state, Self.word(at: offset, in: prefix), prefixCount: prefix.count, kind: kind)
    }

    /// Calls `body` once for each pattern that matches `name`, which has d segments: d times for the descendants of a
    /// prefix, the shortest first, then for the children of the longest, then for the name itself.
    @inline(__always)
    func forEachPattern(
        matching name: UnsafeRawBufferPointer,
        _ body: (_ hash: UInt32, _ prefixCount: Int, _ kind: ChannelPattern.Kind) -> Void
    ) {
        guard name.count > 0 else { return }
        var state = start
        var offset = 0
        var lastPrefix = (state: start, word: UInt64(0), count: 0)
        while true {
            let word = Self.word(at: offset, in: name)
            var slashes = Self.slashes(in: word)
            while slashes != 0 {
                // The top bit of the slash's byte: this one and all below belong to the prefix.
                let bit = slashes.trailingZeroBitCount
                let head = word & (~0 >> UInt64(63 - bit))
                let count = offset + (bit + 1) / 8
                lastPrefix = (state, head, count)
                body(finish(state, head, prefixCount: count, kind: .descendants), count, .descendants)
                slashes &= slashes - 1
            }
            if name.count - offset <= 8 {
                let parent = finish(
                    lastPrefix.state, lastPrefix.word, prefixCount: lastPrefix.count, kind: .children)
                body(parent, lastPrefix.count, .children)
                body(finish(state, word, prefixCount: name.count, kind: .exact), name.count, .exact)
                return
            }
            state = fold(state ^ word, wordFactor)
            offset += 8
        }
    }

    @inline(__always)
    private func finish(
        _ state: UInt64, _ word: UInt64, prefixCount: Int, kind: ChannelPattern.Kind
    ) -> UInt32 {
        let factor =
            switch kind {
            case .exact: exactFactor
            case .children: childrenFactor
            case .descendants: descendantsFactor
            }
        return UInt32(truncatingIfNeeded: fold(fold(state ^ word, factor) ^ UInt64(prefixCount), lengthFactor))
    }

    @inline(__always)
    private func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }

    /// Up to 8 bytes from `offset`, the first in the lowest bits, zeros where the buffer has ended.
    @inline(__always)
    private static func word(at offset: Int, in bytes: UnsafeRawBufferPointer) -> UInt64 {
        if bytes.count - offset >= 8 {
            return UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        var word: UInt64 = 0
        var index = bytes.count
        while index > offset {
            index -= 1
            word = word << 8 | UInt64(bytes[index])
        }
        return word
    }

    /// The top bit of every byte of `word` that is a slash; exact for all of them, not for the lowest only.
    @inline(__always)
    private static func slashes(in word: UInt64) -> UInt64 {
        let low7: UInt64 = 0x7F7F_7F7F_7F7F_7F7F
        let different = word ^ 0x2F2F_2F2F_2F2F_2F2F
        return ~(((different & low7) &+ low7) | different | low7)
    }
}

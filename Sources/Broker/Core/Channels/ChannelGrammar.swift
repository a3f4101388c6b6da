/// Which characters a channel may be made of. The form is the same in both: one or more segments, each one or more
/// characters long and led by a slash; the whole text is checked, never a line of it.
package enum ChannelGrammar: String, Sendable, Hashable, CaseIterable {
    /// Faye's alphabet: `A–Z a–z 0–9 - _ ! ~ ( ) $ @`.
    case faye
    /// Faye's alphabet, and space `# * + . { }`. A last segment that is `*` or `**` as a whole stays a wildcard, and
    /// such a segment anywhere else stays an error; stars beside other characters stand for themselves.
    case cometd
}

/// What the first segment makes of a channel. Only a valid name or pattern is ever classified: a text that merely
/// begins like a meta channel must not get the rights of one.
package enum ChannelRealm: UInt8, Sendable, Hashable {
    case ordinary
    /// `/meta`, and all that is below it.
    case meta
    /// `/service`, and all that is below it.
    case service
}

/// What one pass over a channel's text finds out.
struct ChannelShape {
    var kind: ChannelPattern.Kind
    var realm: ChannelRealm
    /// All segments, a wildcard included.
    var segmentCount: Int
    /// Where the last segment begins, in bytes; for a pattern this is the length of its prefix.
    var lastSegmentOffset: Int
}

extension ChannelGrammar {
    /// Checks a whole text, a name or a pattern, and tells its shape. Linear, and no longer than `maximumBytes`.
    func shape(of bytes: UnsafeRawBufferPointer, maximumBytes: Int) throws(ChannelError) -> ChannelShape {
        let count = bytes.count
        guard count <= maximumBytes else { throw .tooLong(byteCount: count, maximum: maximumBytes) }
        guard count > 0, bytes[0] == Self.slash else { throw .noLeadingSlash }
        let alphabet = self.alphabet
        var shape = ChannelShape(kind: .exact, realm: .ordinary, segmentCount: 0, lastSegmentOffset: 1)
        var start = 1
        while true {
            shape.segmentCount += 1
            shape.lastSegmentOffset = start
            if let wildcard = try Self.wildcard(at: start, in: bytes) {
                shape.kind = wildcard
                return shape
            }
            var end = start
            while end < count, bytes[end] != Self.slash {
                guard alphabet.contains(bytes[end]) else {
                    throw .invalidCharacter(Self.scalar(at: end, in: bytes), offset: end)
                }
                end += 1
            }
            guard end > start else { throw .emptySegment(offset: start) }
            if shape.segmentCount == 1 {
                shape.realm = Self.realm(ofFirstSegment: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
            }
            if end == count { return shape }
            start = end + 1
        }
    }

    /// The wildcard that the segment at `start` is as a whole, if it is one.
    private static func wildcard(
        at start: Int, in bytes: UnsafeRawBufferPointer
    ) throws(ChannelError) -> ChannelPattern.Kind? {
        var end = start
        while end < bytes.count, end < start + 2, bytes[end] == star { end += 1 }
        if end == start { return nil }
        if end == bytes.count { return end - start == 1 ? .children : .descendants }
        if bytes[end] == slash { throw .wildcardNotLast(offset: start) }
        return nil
    }

    private static func realm(ofFirstSegment segment: UnsafeRawBufferPointer) -> ChannelRealm {
        switch segment.count {
        case 4 where segment.elementsEqual("meta".utf8): .meta
        case 7 where segment.elementsEqual("service".utf8): .service
        default: .ordinary
        }
    }

    /// The character that begins at `offset`, for the error; U+FFFD where the bytes are no UTF-8.
    private static func scalar(at offset: Int, in bytes: UnsafeRawBufferPointer) -> Unicode.Scalar {
        var decoder = Unicode.UTF8()
        var rest = bytes[offset...].makeIterator()
        guard case .scalarValue(let scalar) = decoder.decode(&rest) else { return "\u{FFFD}" }
        return scalar
    }

    static let slash = UInt8(ascii: "/")
    static let star = UInt8(ascii: "*")

    /// The characters of a segment, as a set of bits.
    private var alphabet: Alphabet {
        switch self {
        case .faye: Alphabet.faye
        case .cometd: Alphabet.cometd
        }
    }

    /// A set of ASCII characters: 128 bits.
    private struct Alphabet {
        var low: UInt64 = 0
        var high: UInt64 = 0

        init(_ characters: String) {
            for byte in characters.utf8 {
                if byte < 64 { low |= 1 << UInt64(byte) } else { high |= 1 << UInt64(byte - 64) }
            }
        }

        func contains(_ byte: UInt8) -> Bool {
            let bits = byte < 64 ? low : high
            return byte < 128 && bits >> UInt64(byte & 63) & 1 == 1
        }

        static let fayeCharacters =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_!~()$@"
        static let faye = Alphabet(fayeCharacters)
        static let cometd = Alphabet(fayeCharacters + " #*+.{}")
    }
}

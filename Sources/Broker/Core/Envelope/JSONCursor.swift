/// Reads the tokens and values of a JSON text, one after the other, and decodes nothing (RFC 8259).
///
/// It borrows the bytes for the time of one call of `RawSpan.withUnsafeBytes` and reads none at `end` or behind it. The
/// bytes are taken to be UTF-8; if they are not, nothing breaks, but the fault is not seen. Strings are read in 64-bit
/// words with integer arithmetic: masks of SIMD vectors, asked with `any()`, are many times slower in Swift.
/// All of it is iterative, linear, and without allocation.
struct JSONCursor {
    let base: UnsafeRawPointer
    /// One past the last byte that may be read.
    let end: Int
    /// The next byte to read.
    var index: Int
    /// How many brackets may be open at once; at most `EnvelopeLimits.depthCeiling`.
    let maximumDepth: Int

    init?(_ bytes: UnsafeRawBufferPointer, range: Range<Int>, maximumDepth: Int) {
        guard let base = bytes.baseAddress, range.lowerBound >= 0, range.upperBound <= bytes.count else { return nil }
        self.base = base
        self.end = range.upperBound
        self.index = range.lowerBound
        self.maximumDepth = maximumDepth
    }

    // MARK: Tokens

    @inline(__always)
    func byte(_ index: Int) -> UInt8 { base.load(fromByteOffset: index, as: UInt8.self) }

    /// 8 bytes, the first in the lowest bits. All of them must lie before `end`.
    @inline(__always)
    func word(_ index: Int) -> UInt64 {
        UInt64(littleEndian: base.loadUnaligned(fromByteOffset: index, as: UInt64.self))
    }

    @inline(__always)
    mutating func skipSpace() {
        while index < end {
            let next = byte(index)
            guard next <= 0x20, next == 0x20 || next == 0x0A || next == 0x0D || next == 0x09 else { return }
            index += 1
        }
    }

    /// Skips white space and tells the first byte of the next token, without going past it.
    @inline(__always)
    mutating func nextToken() throws(EnvelopeError) -> UInt8 {
        skipSpace()
        guard index < end else { throw .notJSON(.unexpectedEnd, offset: end) }
        return byte(index)
    }

    /// Reads a member's name, the colon behind it, and tells the first byte of the value. The cursor is where the name
    /// should begin; `first` is the byte there.
    @inline(__always)
    mutating func scanName(_ first: UInt8) throws(EnvelopeError) -> (name: JSONSlice, valueStart: UInt8) {
        guard first == UInt8(ascii: "\"") else { throw .notJSON(.nameExpected, offset: index) }
        let name = try scanString()
        guard try nextToken() == UInt8(ascii: ":") else { throw .notJSON(.colonExpected, offset: index) }
        index += 1
        return (name, try nextToken())
    }

    // MARK: Values

    /// Reads one value, whatever it is. The cursor is at its first byte, which is `first`; `openBrackets` are open
    /// around it.
    ///
    /// The brackets that are open inside of it are bits of one word: 1 for an object, the innermost lowest.
    @inline(__always)
    mutating func scanValue(_ first: UInt8, openBrackets: Int) throws(EnvelopeError) -> JSONSlice {
        switch first {
        case UInt8(ascii: "\""):
            return try scanString()
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            let start = index
            try skipContainer(first, openBrackets: openBrackets)
            return slice(first == UInt8(ascii: "{") ? .object : .array, from: start)
        default:
            return try scanScalar(first)
        }
    }

    private mutating func skipContainer(_ first: UInt8, openBrackets: Int) throws(EnvelopeError) {
        var objects: UInt64 = 0
        var depth = 0
        var first = first
        while true {
            switch first {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                guard openBrackets + depth < maximumDepth else {
                    throw .tooDeep(maximum: maximumDepth, offset: index)
                }
                let isObject = first == UInt8(ascii: "{")
                index += 1
                first = try nextToken()
                if first == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    index += 1
                } else {
                    depth += 1
                    objects = objects << 1 | (isObject ? 1 : 0)
                    if isObject { first = try scanName(first).valueStart }
                    continue
                }
            case UInt8(ascii: "\""):
                _ = try scanString()
            default:
                _ = try scanScalar(first)
            }
            // A value has ended; so do all containers that end right behind it.
            while true {
                if depth == 0 { return }
                let isObject = objects & 1 == 1
                first = try nextToken()
                if first == UInt8(ascii: ",") {
                    index += 1
                    first = try nextToken()
                    if isObject { first = try scanName(first).valueStart }
                    break
                }
                guard first == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                    throw .notJSON(.commaOrEndExpected, offset: index)
                }
                index += 1
                depth -= 1
                objects >>= 1
            }
        }
    }

    @inline(__always)
    func slice(_ kind: JSONSlice.Kind, from start: Int) -> JSONSlice {
        JSONSlice(
            kind: kind, offset: UInt32(truncatingIfNeeded: start), count: UInt32(truncatingIfNeeded: index - start))
    }
}

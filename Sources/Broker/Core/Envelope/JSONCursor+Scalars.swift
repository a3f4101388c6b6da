// Strings, numbers and literals.
extension JSONCursor {
    // MARK: Strings

    /// Reads a string; the cursor is at its opening quote.
    @inline(__always)
    mutating func scanString() throws(EnvelopeError) -> JSONSlice {
        let start = index
        index += 1
        while end - index >= 8 {
            let special = Self.specialBytes(in: word(index))
            if special == 0 {
                index += 8
                continue
            }
            index += special.trailingZeroBitCount / 8
            if byte(index) == UInt8(ascii: "\"") {
                index += 1
                return slice(.string, from: start)
            }
            break
        }
        let hasEscapes = try skipRestOfString()
        return slice(hasEscapes ? .escapedString : .string, from: start)
    }

    /// Reads the rest of a string, from anywhere in it but the middle of an escape; tells whether an escape was in it.
    private mutating func skipRestOfString() throws(EnvelopeError) -> Bool {
        var hasEscapes = false
        while true {
            if end - index >= 8 {
                let special = Self.specialBytes(in: word(index))
                index += special == 0 ? 8 : special.trailingZeroBitCount / 8
                if special == 0 { continue }
            }
            guard index < end else { throw .notJSON(.unexpectedEnd, offset: end) }
            switch byte(index) {
            case UInt8(ascii: "\""):
                index += 1
                return hasEscapes
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try skipEscape()
            case 0..<0x20:
                throw .notJSON(.controlCharacter, offset: index)
            default:
                index += 1
            }
        }
    }

    /// Reads one escape. A surrogate without its partner is let pass: RFC 8259 §8.2 allows it in the grammar.
    private mutating func skipEscape() throws(EnvelopeError) {
        guard end - index >= 2 else { throw .notJSON(.unexpectedEnd, offset: end) }
        switch byte(index + 1) {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            index += 2
        case UInt8(ascii: "u"):
            for digit in index + 2..<index + 6 {
                guard digit < end else { throw .notJSON(.unexpectedEnd, offset: end) }
                guard byte(digit).hexDigit != nil else { throw .notJSON(.malformedEscape, offset: index) }
            }
            index += 6
        default:
            throw .notJSON(.malformedEscape, offset: index)
        }
    }

    /// The top bit of the first byte in `word` that is a quote, a backslash or a control character, exactly; bits above
    /// it may be set for no reason (a borrow), bits below it are not.
    @inline(__always)
    static func specialBytes(in word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
        let backslashes = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
        let found =
            ((quotes &- ones) & ~quotes) | ((backslashes &- ones) & ~backslashes)
            | ((word &- (ones &* 0x20)) & ~word)
        return found & (ones &* 0x80)
    }

    // MARK: Numbers and literals

    /// Reads a number, `true`, `false` or `null`; the cursor is at its first byte, which is `first`.
    @inline(__always)
    mutating func scanScalar(_ first: UInt8) throws(EnvelopeError) -> JSONSlice {
        switch first {
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try scanNumber()
        case UInt8(ascii: "t"): try scanLiteral("true", .bool(true))
        case UInt8(ascii: "f"): try scanLiteral("false", .bool(false))
        case UInt8(ascii: "n"): try scanLiteral("null", .null)
        default: throw .notJSON(.valueExpected, offset: index)
        }
    }

    private mutating func scanNumber() throws(EnvelopeError) -> JSONSlice {
        let start = index
        if byte(index) == UInt8(ascii: "-") { index += 1 }
        if index < end, byte(index) == UInt8(ascii: "0") {
            index += 1
            // RFC 8259 §6: leading zeros are not allowed.
            if index < end, byte(index).isDecimalDigit { throw .notJSON(.malformedNumber, offset: index) }
        } else {
            try skipDigits()
        }
        if index < end, byte(index) == UInt8(ascii: ".") {
            index += 1
            try skipDigits()
        }
        if index < end, byte(index) | 0x20 == UInt8(ascii: "e") {
            index += 1
            if index < end, byte(index) == UInt8(ascii: "+") || byte(index) == UInt8(ascii: "-") { index += 1 }
            try skipDigits()
        }
        return slice(.number, from: start)
    }

    /// Reads one digit or more.
    @inline(__always)
    private mutating func skipDigits() throws(EnvelopeError) {
        guard index < end else { throw .notJSON(.unexpectedEnd, offset: end) }
        guard byte(index).isDecimalDigit else { throw .notJSON(.malformedNumber, offset: index) }
        repeat { index += 1 } while index < end && byte(index).isDecimalDigit
    }

    private mutating func scanLiteral(
        _ literal: StaticString, _ kind: JSONSlice.Kind
    ) throws(EnvelopeError) -> JSONSlice {
        let start = index
        for offset in 0..<literal.utf8CodeUnitCount {
            guard index < end else { throw .notJSON(.unexpectedEnd, offset: end) }
            guard byte(index) == literal.utf8Start[offset] else { throw .notJSON(.valueExpected, offset: start) }
            index += 1
        }
        return slice(kind, from: start)
    }
}

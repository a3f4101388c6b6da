// What the broker writes itself: small pieces of JSON around slices that it passes on as they came.
extension [UInt8] {
    /// Appends a string with its quotes. Escapes what JSON demands (RFC 8259 §7: quote, backslash, control characters),
    /// and U+2028 and U+2029, which end a line of JavaScript that JSON-P would put them in.
    package mutating func append(jsonString text: String) {
        append(jsonString: text.utf8.span.bytes)
    }

    /// As above, for bytes of UTF-8.
    package mutating func append(jsonString text: RawSpan) {
        text.withUnsafeBytes { bytes in
            append(UInt8(ascii: "\""))
            var written = 0
            var index = 0
            while index < bytes.count {
                if bytes.count - index >= 8 {
                    let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                    if Self.isPlain(word) {
                        index += 8
                        continue
                    }
                }
                let length = Self.escapedLength(at: index, in: bytes)
                if length > 0 {
                    append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[written..<index]))
                    appendEscape(of: bytes[index], last: bytes[index + length - 1])
                    written = index + length
                }
                index += Swift.max(length, 1)
            }
            append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[written...]))
            append(UInt8(ascii: "\""))
        }
    }

    /// Appends a value as it was written.
    ///
    /// It may contain line feeds between its tokens, which an event stream cannot carry in one `data:` line, and U+2028
    /// and U+2029 in its strings; `append(oneLine:of:)` is for these cases.
    package mutating func append(_ slice: JSONSlice, of text: RawSpan) {
        guard slice.range.upperBound <= text.byteCount else { return }
        text.withUnsafeBytes { append(contentsOf: UnsafeRawBufferPointer(rebasing: $0[slice.range])) }
    }

    /// Appends the same value without anything that ends a line: tabs and line ends between tokens become spaces, U+2028
    /// and U+2029 escapes. For event streams and JSON-P.
    package mutating func append(oneLine slice: JSONSlice, of text: RawSpan) {
        guard slice.range.upperBound <= text.byteCount else { return }
        text.withUnsafeBytes { bytes in
            let value = UnsafeRawBufferPointer(rebasing: bytes[slice.range])
            var index = 0
            while index < value.count {
                // Valid JSON has control characters between tokens only, and U+2028 in strings only.
                switch Self.escapedLength(at: index, in: value) {
                case 3:
                    appendEscape(of: value[index], last: value[index + 2])
                    index += 3
                case _:
                    append(value[index] < 0x20 ? 0x20 : value[index])
                    index += 1
                }
            }
        }
    }

    /// Appends an integer in decimal.
    package mutating func append(jsonInteger value: Int64) {
        let first = count
        var rest = value.magnitude
        repeat {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        if value < 0 { append(UInt8(ascii: "-")) }
        self[first...].reverse()
    }

    /// Whether no byte of 8 can be the first of something to escape.
    private static func isPlain(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let separators = word ^ (ones &* 0xE2)
        return JSONCursor.specialBytes(in: word) == 0 && (separators &- ones) & ~separators & (ones &* 0x80) == 0
    }

    /// How many bytes from here on are to be written as one escape; 0 when the byte can stay.
    private static func escapedLength(at index: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        switch bytes[index] {
        case 0..<0x20, UInt8(ascii: "\""), UInt8(ascii: "\\"): return 1
        case 0xE2:
            // U+2028 is E2 80 A8, U+2029 is E2 80 A9.
            guard bytes.count - index >= 3, bytes[index + 1] == 0x80, bytes[index + 2] & 0xFE == 0xA8 else { return 0 }
            return 3
        default: return 0
        }
    }

    private mutating func appendEscape(of byte: UInt8, last: UInt8) {
        append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): append(byte)
        case 0x08: append(UInt8(ascii: "b"))
        case 0x09: append(UInt8(ascii: "t"))
        case 0x0A: append(UInt8(ascii: "n"))
        case 0x0C: append(UInt8(ascii: "f"))
        case 0x0D: append(UInt8(ascii: "r"))
        case 0xE2: append(contentsOf: last == 0xA8 ? "u2028".utf8 : "u2029".utf8)
        default:
            append(contentsOf: byte < 0x10 ? "u000".utf8 : "u001".utf8)
            let digit = byte & 0xF
            append(digit + (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10))
        }
    }
}

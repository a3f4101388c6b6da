/// Which request of which trace brought a publication about (W3C Trace Context §3.2, `traceparent`), passed on as it came.
///
/// `00-` 32 hexadecimal digits `-` 16 `-` 2, in lower case, neither of the first two all zeros. Stricter than the
/// specification lets a receiver be: other versions, whose form is not known, are not passed on.
package struct TraceParent: Sendable, Equatable {
    package static let byteCount = 55

    /// Digits and hyphens: nothing that JSON escapes.
    package let text: String

    /// The value of the header; nil if it is not a good one.
    package init?(_ text: String) {
        var text = text
        let isGood = text.withUTF8 { Self.isGood($0.span.bytes) }
        guard isGood else { return nil }
        self.text = text
    }

    /// The same in the `ext` of a message. A text with escapes is none.
    init?(_ slice: JSONSlice, in text: RawSpan) {
        guard slice.kind == .string, slice.count == Self.byteCount + 2 else { return nil }
        let value = text.extracting(slice.range.dropFirst().dropLast())
        guard Self.isGood(value) else { return nil }
        self.text = value.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }

    private static func isGood(_ bytes: RawSpan) -> Bool {
        guard bytes.byteCount == byteCount else { return false }
        return bytes.withUnsafeBytes { bytes in
            guard bytes[0] == UInt8(ascii: "0"), bytes[1] == UInt8(ascii: "0") else { return false }
            let hyphens = [2, 35, 52]
            for (place, byte) in bytes.enumerated() {
                if hyphens.contains(place) {
                    guard byte == UInt8(ascii: "-") else { return false }
                } else {
                    guard isDigit(byte) else { return false }
                }
            }
            return isNotZero(bytes[3..<35]) && isNotZero(bytes[36..<52])
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        byte.isDecimalDigit || UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte
    }

    private static func isNotZero(_ digits: Slice<UnsafeRawBufferPointer>) -> Bool {
        digits.contains { $0 != UInt8(ascii: "0") }
    }
}

// Decodes single values, after the scan. `text` is the text that was scanned; with another one these answer nil or
// nonsense, and never read outside of it.
extension JSONSlice {
    /// The characters of a string; nil for anything else. A surrogate without its partner becomes U+FFFD.
    package func string(in text: RawSpan) -> String? {
        guard isString else { return nil }
        return withBytes(of: text) { bytes, range in
            if kind == .escapedString { return JSONEscapes.decode(bytes, range) }
            return String(decoding: bytes[range.dropFirst().dropLast()], as: UTF8.self)
        }
    }

    /// The value as it is written.
    package func json(in text: RawSpan) -> String {
        withBytes(of: text) { bytes, range in String(decoding: bytes[range], as: UTF8.self) } ?? ""
    }

    /// The strings of an array; nil for anything else, and when one of its elements is no string.
    package func strings(in text: RawSpan) -> [String]? {
        guard kind == .array else { return nil }
        var strings: [String] = []
        var elements = self.elements
        while let element = elements.next(in: text) {
            guard let string = element.string(in: text) else { return nil }
            strings.append(string)
        }
        return strings
    }

    /// Whether this is a string of just these characters. Decodes only if it has escapes.
    package func equals(_ literal: StaticString, in text: RawSpan) -> Bool {
        literal.withUTF8Buffer { equals(UnsafeRawBufferPointer($0), in: text) }
    }

    /// Whether this is a string of just these characters, given in UTF-8. Decodes only if it has escapes.
    package func equals(_ utf8: [UInt8], in text: RawSpan) -> Bool {
        utf8.withUnsafeBytes { equals($0, in: text) }
    }

    private func equals(_ expected: UnsafeRawBufferPointer, in text: RawSpan) -> Bool {
        switch kind {
        case .string:
            guard Int(count) == expected.count + 2 else { return false }
            return text.extracting(range.dropFirst().dropLast()).holdsSame(as: expected.bytes)
        case .escapedString:
            // A byte is written as an escape of six at most: what is longer is not decoded, for each name that it could be.
            guard Int(count) <= 6 * expected.count + 2 else { return false }
            return string(in: text)?.utf8.elementsEqual(expected) ?? false
        default:
            return false
        }
    }

    /// A number that is an integer, however it is written (`30000`, `3e4`, `30000.0`); nil for any other value, and for
    /// one that 64 bits do not hold.
    package func integer(in text: RawSpan) -> Int64? {
        guard kind == .number else { return nil }
        let plain = withBytes(of: text) { bytes, range -> Int64? in
            var digits = bytes[range]
            let isNegative = digits.first == UInt8(ascii: "-")
            if isNegative { digits = digits.dropFirst() }
            var value: Int64 = 0
            for byte in digits {
                guard byte.isDecimalDigit else { return nil }
                let digit = Int64(byte - UInt8(ascii: "0"))
                let (product, overflow) = value.multipliedReportingOverflow(by: 10)
                let (sum, carry) = product.addingReportingOverflow(isNegative ? -digit : digit)
                guard !overflow, !carry else { return nil }
                value = sum
            }
            return value
        }
        if let plain { return plain }
        guard let value = double(in: text), value >= -0x1p63, value < 0x1p63 else { return nil }
        let integer = Int64(value)
        return Double(integer) == value ? integer : nil
    }

    /// A number, rounded to what 64 bits of floating point hold; nil for any other value, and for one out of range.
    package func double(in text: RawSpan) -> Double? {
        guard kind == .number else { return nil }
        return withBytes(of: text) { bytes, range in
            Double(String(decoding: bytes[range], as: UTF8.self)).flatMap { $0.isFinite ? $0 : nil }
        }
    }

    /// A `true` or `false`; nil for anything else.
    package var bool: Bool? {
        if case .bool(let value) = kind { return value }
        return nil
    }

    /// The value of an object's member, the last one if there are several of that name; absent if there is none, or if
    /// this is no object. Linear in the object.
    package func member(_ name: StaticString, in text: RawSpan) -> JSONSlice {
        var found = JSONSlice.absent
        var members = self.members
        while let member = members.next(in: text) {
            if member.name.equals(name, in: text) { found = member.value }
        }
        return found
    }

    /// Nil when the slice does not lie in the text.
    private func withBytes<Value>(
        of text: RawSpan, _ body: (UnsafeRawBufferPointer, Range<Int>) -> Value?
    ) -> Value? {
        guard range.upperBound <= text.byteCount else { return nil }
        return text.withUnsafeBytes { body($0, range) }
    }
}

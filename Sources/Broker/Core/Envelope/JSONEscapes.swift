/// Decodes JSON strings that have escapes.
enum JSONEscapes {
    /// The text of a string, given with its quotes. A surrogate without its partner becomes U+FFFD, as does what is not
    /// UTF-8. Nil when it is no JSON string at all, which a scanned one always is.
    static func decode(_ text: UnsafeRawBufferPointer, _ range: Range<Int>) -> String? {
        guard range.count >= 2, range.upperBound <= text.count else { return nil }
        let content = UnsafeRawBufferPointer(rebasing: text[range.lowerBound + 1..<range.upperBound - 1])
        var isWellFormed = true
        // No escape is shorter than what it stands for: \uXXXX has 6 bytes for at most 3, a pair 12 for 4.
        let decoded = String(unsafeUninitializedCapacity: content.count) { target in
            var decoder = Decoder(content: content, target: target)
            isWellFormed = decoder.run()
            return decoder.written
        }
        return isWellFormed ? decoded : nil
    }

    private struct Decoder {
        let content: UnsafeRawBufferPointer
        let target: UnsafeMutableBufferPointer<UInt8>
        var read = 0
        var written = 0

        init(content: UnsafeRawBufferPointer, target: UnsafeMutableBufferPointer<UInt8>) {
            self.content = content
            self.target = target
        }

        mutating func run() -> Bool {
            while read < content.count {
                let byte = content[read]
                read += 1
                if byte != UInt8(ascii: "\\") {
                    put(byte)
                } else if !decodeEscape() {
                    return false
                }
            }
            return true
        }

        private mutating func put(_ byte: UInt8) {
            target[written] = byte
            written += 1
        }

        private mutating func decodeEscape() -> Bool {
            guard read < content.count else { return false }
            let character = content[read]
            read += 1
            switch character {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): put(character)
            case UInt8(ascii: "b"): put(0x08)
            case UInt8(ascii: "f"): put(0x0C)
            case UInt8(ascii: "n"): put(0x0A)
            case UInt8(ascii: "r"): put(0x0D)
            case UInt8(ascii: "t"): put(0x09)
            case UInt8(ascii: "u"):
                guard let unit = codeUnit(at: read) else { return false }
                read += 4
                put(scalar(startingWith: unit))
            default: return false
            }
            return true
        }

        /// The scalar that a code unit of UTF-16 begins; takes the other half of a pair from what follows.
        private mutating func scalar(startingWith unit: UInt16) -> Unicode.Scalar {
            if let scalar = Unicode.Scalar(unit) { return scalar }
            guard UTF16.isLeadSurrogate(unit), read + 6 <= content.count,
                content[read] == UInt8(ascii: "\\"), content[read + 1] == UInt8(ascii: "u"),
                let trail = codeUnit(at: read + 2), UTF16.isTrailSurrogate(trail)
            else { return "\u{FFFD}" }
            read += 6
            let offset = UInt32(unit & 0x3FF) << 10 | UInt32(trail & 0x3FF)
            return Unicode.Scalar(0x10000 + offset) ?? "\u{FFFD}"
        }

        private mutating func put(_ scalar: Unicode.Scalar) {
            for byte in scalar.utf8 { put(byte) }
        }

        /// The value of four hexadecimal digits.
        private func codeUnit(at offset: Int) -> UInt16? {
            guard offset + 4 <= content.count else { return nil }
            var value: UInt16 = 0
            for byte in content[offset..<offset + 4] {
                guard let digit = byte.hexDigit else { return nil }
                value = value << 4 | UInt16(digit)
            }
            return value
        }
    }
}

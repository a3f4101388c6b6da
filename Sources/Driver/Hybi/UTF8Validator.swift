/// Checks UTF-8 that arrives in pieces, and refuses a piece as soon as no continuation could make it valid.
///
/// Rules (Unicode 16, table 3-7): the second byte of a sequence has a range that depends on the first, all later
/// ones are 80–BF. Three bytes of state; nothing of the text is kept.
struct UTF8Validator {
    private var missing: UInt8 = 0
    private var lowest: UInt8 = 0x80
    private var highest: UInt8 = 0xBF

    /// Whether all sequences so far are complete, as they must be at the end of a message.
    var isComplete: Bool { missing == 0 }

    /// Checks the next bytes; false once they cannot be the start of any valid text.
    mutating func accept(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var offset = 0
        while missing > 0, offset < bytes.count {
            guard accept(bytes[offset]) else { return false }
            offset += 1
        }
        let start = offset
        let valid = Self.validPrefixCount(UnsafeRawBufferPointer(rebasing: bytes[start...]))
        offset = start + valid
        // A sequence that the piece breaks off, or an invalid one: the machine tells them apart.
        while offset < bytes.count {
            guard accept(bytes[offset]) else { return false }
            offset += 1
        }
        return true
    }

    /// Whether these bytes are a whole valid text.
    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        validPrefixCount(bytes) == bytes.count
    }

    private static func validPrefixCount(_ bytes: UnsafeRawBufferPointer) -> Int {
        bytes.withMemoryRebound(to: UInt8.self) { units in
            do throws(UTF8.ValidationError) {
                _ = try UTF8Span(validating: units.span)
                return units.count
            } catch {
                return error.byteOffsets.lowerBound
            }
        }
    }

    private mutating func accept(_ byte: UInt8) -> Bool {
        guard missing == 0 else {
            guard lowest <= byte, byte <= highest else { return false }
            missing -= 1
            (lowest, highest) = (0x80, 0xBF)
            return true
        }
        switch byte {
        case 0x00...0x7F: return true
        case 0xC2...0xDF: missing = 1
        case 0xE0: (missing, lowest) = (2, 0xA0)  // no overlong forms
        case 0xED: (missing, highest) = (2, 0x9F)  // no surrogates
        case 0xE1...0xEF: missing = 2
        case 0xF0: (missing, lowest) = (3, 0x90)  // no overlong forms
        case 0xF1...0xF3: missing = 3
        case 0xF4: (missing, highest) = (3, 0x8F)  // nothing above U+10FFFF
        default: return false
        }
        return true
    }
}

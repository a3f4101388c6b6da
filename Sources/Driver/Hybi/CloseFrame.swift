/// The payload of Close frames (RFC 6455 §5.5.1): empty, or a code and a reason in UTF-8.
enum CloseFrame {
    static let maximumReasonBytes = 123

    /// Reads what the peer sent. No payload is 1005; a code that may not be sent, half a code, or a reason
    /// that is not UTF-8 stand for a violation, which the code returned says.
    static func read(_ payload: UnsafeRawBufferPointer) -> (code: CloseCode, reason: String) {
        guard payload.count >= 2 else { return (payload.isEmpty ? .noStatus : .protocolError, "") }
        let code = CloseCode(rawValue: UInt16(bigEndian: payload.loadUnaligned(as: UInt16.self)))
        guard let reason = String(validating: payload[2...], as: UTF8.self) else { return (.protocolError, "") }
        return (code.isAllowedOnWire ? code : .protocolError, reason)
    }

    /// The payload to send, empty for 1005; the reason is cut to 123 bytes, at the end of a character.
    static func payload(_ code: CloseCode, _ reason: String) -> [UInt8] {
        guard code != .noStatus else { return [] }
        let utf8 = reason.utf8
        var end = utf8.index(utf8.startIndex, offsetBy: maximumReasonBytes, limitedBy: utf8.endIndex) ?? utf8.endIndex
        while end < utf8.endIndex, utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
        return [UInt8(code.rawValue >> 8), UInt8(code.rawValue & 0xFF)] + utf8[..<end]
    }
}

/// Base64 with padding (RFC 4648 §4), as much as a handshake needs.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for index in 0..<4 {
                let isPadding = index > group.count
                text.append(isPadding ? UInt8(ascii: "=") : alphabet[Int(bits >> UInt32(18 - 6 * index) & 0x3F)])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The number of bytes that `text` stands for, `nil` if it is not Base64 with all its padding and zero spare bits.
    static func decodedCount(_ text: String) -> Int? {
        let utf8 = Array(text.utf8)
        guard utf8.count % 4 == 0 else { return nil }
        let padding = utf8.reversed().prefix(2).prefix { $0 == UInt8(ascii: "=") }.count
        let digits = utf8.dropLast(padding)
        let values = digits.map { alphabet.firstIndex(of: $0) }
        guard !values.contains(nil) else { return nil }
        if padding > 0, let last = values.last, let last, last & (padding == 1 ? 0x3 : 0xF) != 0 { return nil }
        return utf8.count / 4 * 3 - padding
    }
}

/// Makes client ids: 160 random bits in base 36, 31 characters (as Faye's are; nobody can guess one).
enum ClientID {
    private static let digitCount = 31
    private static let alphabet = Array("0123456789abcdefghijklmnopqrstuvwxyz".utf8)

    /// A fresh client id, padded on the left with zeros.
    static func make(using generator: inout some RandomNumberGenerator) -> String {
        var words = (0..<5).map { _ in UInt32.random(in: .min ... .max, using: &generator) }
        var digits = [UInt8](repeating: alphabet[0], count: digitCount)
        for position in digits.indices.reversed() {
            digits[position] = alphabet[Int(divideBy36(&words))]
        }
        return String(decoding: digits, as: UTF8.self)
    }

    /// Divides the number in `words` (most significant first) by 36; returns the remainder.
    private static func divideBy36(_ words: inout [UInt32]) -> UInt64 {
        var remainder: UInt64 = 0
        for index in words.indices {
            let value = remainder << 32 | UInt64(words[index])
            words[index] = UInt32(value / 36)
            remainder = value % 36
        }
        return remainder
    }
}

import CLibcrypto

/// The challenge of draft-hixie-76 §1.3: two numbers hidden in header fields, and eight bytes that follow the head.
///
/// The eight bytes come without `Content-Length`, and a proxy may hold them until it has seen the answer's head.
struct HixieChallenge {
    static let bodyBytes = 8

    private let numbers: (UInt32, UInt32)
    private var body: [UInt8] = []

    /// Reads both keys.
    init(_ headers: HeaderFields) throws(ProtocolViolation) {
        numbers = (
            try Self.number(headers, "Sec-WebSocket-Key1"), try Self.number(headers, "Sec-WebSocket-Key2")
        )
    }

    /// Takes the body's bytes from `offset` on, which moves; true when all eight are there.
    mutating func read(_ input: UnsafeRawBufferPointer, _ offset: inout Int) -> Bool {
        let end = offset + min(Self.bodyBytes - body.count, input.count - offset)
        body.append(contentsOf: input[offset..<end])
        offset = end
        return body.count == Self.bodyBytes
    }

    /// The 16 bytes that answer it; `nil` if libcrypto does not offer MD5, as in a FIPS configuration.
    var answer: [UInt8]? {
        let question = [numbers.0, numbers.1].flatMap { number in
            [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
        }
        return Self.md5(question + body)
    }

    private static func number(_ headers: HeaderFields, _ name: String) throws(ProtocolViolation) -> UInt32 {
        let values = headers.all(name)
        guard let key = values.first else { throw .missingHixieHeader(name) }
        guard values.count == 1, let number = number(key) else { throw .invalidHixieKeys }
        return number
    }

    /// The digits of a key as one number, divided by the number of its spaces; `nil` without digits or spaces, if
    /// the digits' number does not fit into 32 bits (draft-hixie-76 §4.1 makes none), or if the division leaves a rest.
    static func number(_ key: String) -> UInt32? {
        var digits: UInt32?
        var spaces: UInt32 = 0
        for byte in key.utf8 {
            switch byte {
            case 0x20:
                spaces += 1
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                let (tens, overflow) = (digits ?? 0).multipliedReportingOverflow(by: 10)
                let (sum, carried) = tens.addingReportingOverflow(UInt32(byte - UInt8(ascii: "0")))
                guard !overflow, !carried else { return nil }
                digits = sum
            default:
                break
            }
        }
        guard let digits, spaces > 0, digits % spaces == 0 else { return nil }
        return digits / spaces
    }

    private static func md5(_ bytes: [UInt8]) -> [UInt8]? {
        var digest = [UInt8](repeating: 0, count: 16)
        return EVP_Digest(bytes, bytes.count, &digest, nil, EVP_md5(), nil) == 1 ? digest : nil
    }
}

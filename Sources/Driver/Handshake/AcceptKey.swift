import CLibcrypto

/// `Sec-WebSocket-Key` and its answer (RFC 6455 §4.2.2).
enum AcceptKey {
    private static let guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    /// What `Sec-WebSocket-Accept` must be for a `Sec-WebSocket-Key`.
    static func accept(for key: String) -> String {
        Base64.encode(sha1(Array((key + guid).utf8)))
    }

    /// "A base64-encoded value that, when decoded, is 16 bytes in length" (RFC 6455 §4.2.1).
    static func isValid(_ key: String) -> Bool {
        Base64.decodedCount(key) == 16
    }

    /// A new key of 16 random bytes.
    static func make(using generator: inout some RandomNumberGenerator) -> String {
        let halves: [UInt64] = [generator.next(), generator.next()]
        return Base64.encode(halves.withUnsafeBytes(Array.init))
    }

    private static func sha1(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 20) { digest, count in
            let status = EVP_Digest(bytes, bytes.count, digest.baseAddress, nil, EVP_sha1(), nil)
            precondition(status == 1, "Cannot compute SHA-1 when libcrypto has it switched off")
            count = 20
        }
    }
}

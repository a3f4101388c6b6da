import BrokerCore
import Foundation

/// What a JSON Web Token says (RFC 7519), whoever has signed it: nobody is to believe it.
package struct UnverifiedToken {
    /// What is wrong with a text that is none, to go on after "this is no JSON Web Token:".
    package struct Malformed: Error, Equatable {
        package let reason: String
    }

    /// The header and the claims, a JSON object each, as they were written.
    package let header: [UInt8]
    package let claims: [UInt8]
    /// Whether there is a signature, which is not looked at.
    package let hasSignature: Bool

    /// The parts of a token, which are separated by dots.
    package init(_ token: String) throws(Malformed) {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else {
            throw Malformed(reason: "it has \(parts.count) parts, where a signed token has 3")
        }
        header = try Self.object(in: parts[0], named: "header")
        claims = try Self.object(in: parts[1], named: "claims")
        hasSignature = !parts[2].isEmpty
    }

    /// When it ends, in seconds since 1970; nil for one that does not say.
    package var expiry: Double? {
        let text = claims.span.bytes
        guard let value = try? EnvelopeScanner().scanValue(validatingUTF8: text) else { return nil }
        return value.member("exp", in: text).double(in: text)
    }

    private static func object(in part: Substring, named name: String) throws(Malformed) -> [UInt8] {
        guard let bytes = decoded(part),
            (try? EnvelopeScanner().scanValue(validatingUTF8: bytes.span.bytes))?.kind == .object
        else { throw Malformed(reason: "its \(name) is no JSON object in Base64url") }
        return bytes
    }

    /// Base64 in the alphabet for URLs, without padding (RFC 4648 §5).
    private static func decoded(_ part: Substring) -> [UInt8]? {
        var base64 = String(part).replacing("-", with: "+").replacing("_", with: "/")
        base64 += String(repeating: "=", count: (4 - base64.utf8.count % 4) % 4)
        return Data(base64Encoded: base64).map { Array($0) }
    }
}

import BrokerCore
import Foundation

/// How the parts of a token are read, before anybody has vouched for them.
enum TokenPart {
    /// What a part stands for (base64url, RFC 7515 §2).
    static func decode(_ part: some Collection<UInt8>) throws(TokenRefusal) -> Data {
        let text = String(decoding: part, as: UTF8.self).replacing("-", with: "+").replacing("_", with: "/")
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        guard let bytes = Data(base64Encoded: text + padding) else { throw TokenRefusal.unreadable }
        return bytes
    }

    /// What a part says: a JSON object in UTF-8.
    static func read<Content: Decodable>(_: Content.Type, in text: Data) throws(TokenRefusal) -> Content {
        guard String(validating: text, as: UTF8.self) != nil else { throw TokenRefusal.unreadable }
        let names: [String]
        let content: Content
        do {
            names = try JSONNames.all(in: Array(text).span.bytes)
            // The decoder hashes each, whether anybody asks for it or not.
            if names.contains(where: \.hasTooManyMarks) { throw TokenRefusal.unreadable }
            content = try JSONDecoder().decode(Content.self, from: text)
        } catch {
            throw TokenRefusal.unreadable
        }
        // Which of two holds is read differently elsewhere (RFC 7519 §4, RFC 7515 §4).
        if let repeated = JSONNames.repeated(among: names) {
            throw TokenRefusal("it says \(repeated.prefix(32)) more than once")
        }
        return content
    }
}

/// Why a token is refused. Its holder is told; nothing of the token is repeated.
struct TokenRefusal: Error {
    static let unreadable = Self("it cannot be read")

    let error: BayeuxError

    init(_ reason: String, retryAfter: Int? = nil) {
        error = .token("Token refused: \(reason)", retryAfter: retryAfter)
    }

    init(error: BayeuxError) {
        self.error = error
    }
}

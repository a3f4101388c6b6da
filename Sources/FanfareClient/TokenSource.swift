import Foundation

/// Where a client gets its tokens from, as often as it needs a new one.
///
/// It is asked before the session begins, when the broker refuses the token, and when 80 to 95 % of the life of a JSON Web
/// Token are over. When it throws it is asked again after 5 to 10 s, but not after ``Unauthorized``. A subscription that
/// the broker refuses for the token is asked for once more with the next one.
public struct TokenSource: Sendable {
    /// There is no token to be had: the client ends, with an error of the kind `denied`.
    public struct Unauthorized: Error, Sendable, CustomStringConvertible {
        /// One line for people.
        public let description: String

        /// The reason in words.
        public init(_ description: String = "there is no token to be had") {
            self.description = description
        }
    }

    /// So often the broker may refuse a new token in a row before the client ends.
    static let patience = 3

    let fetch: @Sendable () async throws -> String

    /// A source that calls `fetch` for each token.
    public init(_ fetch: @escaping @Sendable () async throws -> String) {
        self.fetch = fetch
    }

    /// How long a source that has failed is left alone.
    static func pause(using generator: inout some RandomNumberGenerator) -> Duration {
        .seconds(Double.random(in: 5...10, using: &generator))
    }

    /// When a token has to be replaced: after 80 to 95 % of the life that it has left. Nil for one that does not say.
    static func renewal(of token: String, using generator: inout some RandomNumberGenerator) -> Duration? {
        guard let expiry = try? UnverifiedToken(token).expiry else { return nil }
        let left = min(expiry - Date().timeIntervalSince1970, 1e9)
        return left > 0 ? .seconds(left * Double.random(in: 0.8...0.95, using: &generator)) : nil
    }
}

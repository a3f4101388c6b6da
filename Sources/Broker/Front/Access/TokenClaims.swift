/// What a token says (RFC 7519 §4.1, and our own: `publish`, `subscribe`, `admin`). Instants are seconds since 1970.
package struct TokenClaims: Codable, Sendable, Equatable {
    /// Whose it is.
    package var sub: String?
    /// When it ends.
    package var exp: Double?
    /// When it begins.
    package var nbf: Double?
    /// When it was made.
    package var iat: Double?
    /// Who made it.
    package var iss: String?
    /// For whom it was made.
    package var aud: Audience?
    /// The name of this one token.
    package var jti: String?
    /// The channels and patterns that it lets publish to.
    package var publish: [String]?
    /// The channels and patterns that it lets subscribe to.
    package var subscribe: [String]?
    /// Whether it is the administrator's.
    package var admin: Bool?

    /// One name, or several of them.
    package struct Audience: Codable, Sendable, Equatable {
        package let names: [String]

        /// These names.
        package init(_ names: [String]) {
            self.names = names
        }

        package init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let name = try? container.decode(String.self) {
                names = [name]
            } else {
                names = try container.decode([String].self)
            }
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            if names.count == 1 { try container.encode(names[0]) } else { try container.encode(names) }
        }
    }

    /// Says nothing yet.
    package init() {}
}

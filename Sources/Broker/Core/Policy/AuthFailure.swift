/// What was wrong with credentials, as metrics tell it.
package enum AuthFailure: String, Sendable, CaseIterable {
    /// The token has expired.
    case expired
    /// The token, or its subject, was revoked.
    case revoked
    /// A good token, of somebody else than the session's.
    case session
    /// The ticket is used, expired or unknown.
    case ticket
    /// The token cannot be read, or is not one that is taken.
    case token
}

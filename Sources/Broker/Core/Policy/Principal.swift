/// Who somebody is, as a token says whose signature was good: a name, and what it is granted.
///
/// A value that never changes; whether it still counts is asked again at each use, since it expires and may be revoked.
package final class Principal: Sendable {
    /// The token's `sub`.
    package let subject: String
    /// The token's `jti`, by which this one token can be revoked.
    package let tokenID: String?
    /// What its token is signed with.
    package let key: TokenKeyIdentity?
    /// The channels and patterns that the token lets publish to; nil when it does not speak of it.
    package let publish: [ChannelPattern]?
    /// The channels and patterns that the token lets subscribe to; nil when it does not speak of it.
    package let subscribe: [ChannelPattern]?
    /// Whether every channel is open, and the administrator's pages.
    package let isAdmin: Bool
    /// When the token was made, if it says so (ms since 1970).
    package let issuedAt: Int64?
    /// When it ends (ms since 1970).
    package let expiresAt: Int64

    /// What a token says.
    package init(
        subject: String, tokenID: String? = nil, key: TokenKeyIdentity? = nil, publish: [ChannelPattern]? = nil,
        subscribe: [ChannelPattern]? = nil, isAdmin: Bool = false, issuedAt: Int64? = nil, expiresAt: Int64
    ) {
        self.subject = subject
        self.tokenID = tokenID
        self.key = key
        self.publish = publish
        self.subscribe = subscribe
        self.isAdmin = isAdmin
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
    }

    /// What it is granted of one kind.
    func grants(_ verb: AccessVerb) -> [ChannelPattern]? {
        switch verb {
        case .publish: publish
        case .subscribe: subscribe
        }
    }
}

/// Tells a key of tokens from all others; says nothing of it.
package struct TokenKeyIdentity: Hashable, Sendable {
    private let digest: UInt64

    /// The key of which this is the digest.
    package init(digest: UInt64) {
        self.digest = digest
    }
}

/// Who sent something, as far as access goes.
package struct Caller: Sendable {
    /// Whose token the connection or the request brought.
    package var principal: Principal?
    private var boxedRefusal = OptionalBox<BayeuxError>()
    /// Whether a web page sent it.
    package var isBrowser: Bool
    /// Where it is, as far as it counts for limits; nil for who is not limited.
    package var address: IPAddress?
    /// Whether it is the program that the broker is a part of.
    package var isTrusted = false
    /// The tokens of single messages, by their place in the batch: whose they are, or why they are refused.
    package var tokens: [Int: Result<Principal, BayeuxError>] = [:]

    /// Why the token is refused that the connection or the request brought.
    package var refusal: BayeuxError? {
        get { boxedRefusal.value }
        set { boxedRefusal.value = newValue }
    }

    /// Somebody who sent a request.
    package init(principal: Principal? = nil, isBrowser: Bool) {
        self.principal = principal
        self.isBrowser = isBrowser
    }

    /// The program that the broker is a part of.
    package static var trusted: Self {
        var caller = Self(isBrowser: false)
        caller.isTrusted = true
        return caller
    }
}

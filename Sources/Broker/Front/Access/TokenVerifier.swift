package import BrokerCore
import Foundation
import JWTKit
import Synchronization

/// Says whose a token is (RFC 7519), or why it is refused.
///
/// Nothing that a token says is acted upon before its signature was checked, with a key that this broker was given: no
/// address in it is ever asked, and the key decides about the algorithm. What was good once is remembered while the
/// keys are the same, so that a token that comes with each request costs a look into a table.
package final class TokenVerifier: Sendable {
    /// What is asked of tokens beyond a good signature.
    package struct Options: Sendable {
        /// Whose tokens are taken; all with a good signature when empty.
        package var issuers: [String] = []
        /// For whom a token must have been made; for anybody when empty.
        package var audiences: [String] = []
        /// How far ahead a token may end.
        package var lifetime = Duration.seconds(400 * 86_400)
        /// The alphabet of channels.
        package var grammar = ChannelGrammar.faye

        /// The defaults.
        package init() {}
    }
    /// A longer one is not looked at.
    static let maximumBytes = 8_192
    /// How much clocks may differ (s).
    static let leeway = 5.0
    /// Channels and patterns that one token names.
    private static let maximumPatterns = 256
    private static let rememberedCount = 4_096

    private struct State {
        var keys = TokenKeys()
        var options = Options()
        /// What was good with these keys.
        var remembered: [String: Principal] = [:]
        /// Counts the keys that there have been.
        var generation = 0
        var missing: (@Sendable (_ issuer: String?) -> Duration?)?
    }
    private let state = Mutex(State())
    private let hasSources = Atomic(false)

    /// Has no keys yet, and takes no tokens.
    package init() {}

    /// Verifies with these keys.
    package convenience init(keys: TokenKeys, options: Options) {
        self.init()
        use(keys, options, takesTokens: true)
    }

    /// Whether tokens are taken: whether there are keys, or are to be.
    package var takesTokens: Bool { hasSources.load(ordering: .relaxed) }

    /// Verifies with these keys from now on.
    func use(_ keys: TokenKeys, _ options: Options, takesTokens: Bool) {
        state.withLock { state in
            state.keys = keys
            state.options = options
            state.remembered = [:]
            state.generation += 1
        }
        hasSources.store(takesTokens, ordering: .relaxed)
    }

    /// From now on `missing` is told when a token names a key that there is not, and of which issuer it says it is; it
    /// returns after which time there may be one.
    func onMissingKey(_ missing: @escaping @Sendable (_ issuer: String?) -> Duration?) {
        state.withLock { $0.missing = missing }
    }

    /// Whose the token is; `wall` is now (ms since 1970).
    package func verify(_ token: String, wall: Int64) -> Result<Principal, BayeuxError> {
        guard token.utf8.count <= Self.maximumBytes else { return .failure(.token("Token refused: too long")) }
        // A token is Base64 and dots (RFC 7515 §7.1). While another text is hashed all loops would wait.
        guard token.isPlain else { return .failure(TokenRefusal.unreadable.error) }
        let (known, keys, options, generation) = state.withLock { state in
            (state.remembered[token], state.keys, state.options, state.generation)
        }
        if let known { return known.expiresAt > wall ? .success(known) : .failure(.tokenExpired) }
        do {
            let (claims, key) = try signedClaims(of: token, keys)
            let principal = try Self.principal(claims, key.identity, options, now: Double(wall) / 1000)
            state.withLock { state in
                guard state.generation == generation else { return }
                if state.remembered.count >= Self.rememberedCount { state.remembered.removeAll(keepingCapacity: true) }
                state.remembered[token] = principal
            }
            return .success(principal)
        } catch let refusal as TokenRefusal {
            return .failure(refusal.error)
        } catch {
            return .failure(.token("Token refused: it cannot be read"))
        }
    }

    /// The claims, once a key that may speak for them has signed them, and that key.
    private func signedClaims(of token: String, _ keys: TokenKeys) throws -> (TokenClaims, TokenKeys.Key) {
        let parts = try DefaultJWTParser().getTokenParts(Array(token.utf8))
        guard !parts.signature.isEmpty else { throw TokenRefusal("no signature") }
        let signature = try TokenPart.decode(parts.signature)
        let header = try TokenPart.read(TokenHeader.self, in: TokenPart.decode(parts.header))
        let claims = try TokenPart.read(TokenClaims.self, in: TokenPart.decode(parts.payload))
        // An extension that must be understood (RFC 7515 §4.1.11): there is none that is.
        if header.isCritical { throw TokenRefusal("crit is not supported") }
        let candidates = keys.keys.filter { key in
            // As bytes: there may be many keys, and nobody has vouched for the token yet.
            guard key.algorithm.name.isSame(as: header.alg) else { return false }
            if let kid = header.kid, let id = key.id, !id.isSame(as: kid) { return false }
            return key.issuer?.isSame(as: claims.iss) ?? true
        }
        if candidates.isEmpty {
            // A key without a name is any; one with another name is not this one.
            let mayCome = header.kid.map { kid in !keys.keys.contains { kid.isSame(as: $0.id) } } ?? keys.isWaiting
            guard mayCome, let wait = state.withLock({ $0.missing })?(claims.iss) else {
                throw TokenRefusal("no key for it")
            }
            let reason = keys.isWaiting ? "the broker waits for its keys" : "no key for it yet"
            throw TokenRefusal(reason + ", try again", retryAfter: max(Int(wait.components.seconds), 1))
        }
        let signed = parts.header + [UInt8(ascii: ".")] + parts.payload
        for key in candidates where (try? key.algorithm.verify(signature, signs: signed)) == true {
            return (claims, key)
        }
        throw TokenRefusal("the signature is not good")
    }

    private static func principal(
        _ claims: TokenClaims, _ key: TokenKeyIdentity, _ options: Options, now: Double
    ) throws -> Principal {
        guard let subject = claims.sub, !subject.isEmpty else { throw TokenRefusal("sub is missing") }
        for (claim, name) in [("sub", subject), ("jti", claims.jti ?? "")] {
            guard Revocations.canName(name) else {
                throw TokenRefusal("\(claim) is longer than 1024 bytes, or has control characters")
            }
            // They are looked up again and again.
            if name.hasTooManyMarks { throw TokenRefusal("\(claim) has more than 30 marks in a row") }
        }
        guard let expiry = claims.exp else { throw TokenRefusal("exp is missing") }
        let (seconds, _) = options.lifetime.components
        guard expiry.isFinite, expiry <= now + Double(seconds) + leeway else {
            throw TokenRefusal("exp is too far ahead")
        }
        guard expiry > now else { throw TokenRefusal(error: .tokenExpired) }
        if let start = claims.nbf, !(start <= now + leeway) { throw TokenRefusal("nbf has not come") }
        if let made = claims.iat, !(made <= now + leeway) { throw TokenRefusal("iat has not come") }
        if !options.issuers.isEmpty, claims.iss.map(options.issuers.contains) != true {
            throw TokenRefusal("iss is not one that is taken")
        }
        // One that names others is theirs, whether or not this broker has a name.
        if let names = claims.aud?.names {
            guard names.contains(where: options.audiences.contains) else { throw TokenRefusal("aud is somebody else") }
        } else if !options.audiences.isEmpty {
            throw TokenRefusal("aud is missing")
        }
        return Principal(
            subject: subject, tokenID: claims.jti, key: key,
            publish: try patterns(claims.publish, of: "publish", options.grammar),
            subscribe: try patterns(claims.subscribe, of: "subscribe", options.grammar), isAdmin: claims.admin == true,
            issuedAt: claims.iat.map { Int64(max($0, 0) * 1000) }, expiresAt: Int64(expiry * 1000))
    }

    private static func patterns(
        _ texts: [String]?, of claim: String, _ grammar: ChannelGrammar
    ) throws -> [ChannelPattern]? {
        guard let texts else { return nil }
        guard texts.count <= maximumPatterns else { throw TokenRefusal("\(claim) names too many channels") }
        return try texts.map { text in
            guard let pattern = try? ChannelPattern(text, grammar: grammar, maximumBytes: 512) else {
                throw TokenRefusal("\(claim) names what is no channel or pattern")
            }
            return pattern
        }
    }
}

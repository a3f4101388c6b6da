package import BrokerCore
import Foundation
import JWTKit
import Synchronization

/// Says whose a token is (RFC 7519), or why it is refused.
///
/// Nothing that a token says is acted upon before its signature was checked, with a key that this broker was given: no
/// address in it is ever asked, and the key decides about the algorithm. What was good once is remembered, so that a
/// token that comes with each request costs a look into a table.
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
    private static let leeway = 5.0
    /// Channels and patterns that one token names.
    private static let maximumPatterns = 256
    private static let rememberedCount = 4_096

    private let keys: TokenKeys
    private let options: Options
    private let remembered = Mutex<[String: Principal]>([:])

    /// Verifies with these keys.
    package init(keys: TokenKeys, options: Options) {
        self.keys = keys
        self.options = options
    }

    /// Whose the token is; `wall` is now (ms since 1970).
    package func verify(_ token: String, wall: Int64) -> Result<Principal, BayeuxError> {
        guard token.utf8.count <= Self.maximumBytes else { return .failure(.token("Token refused: too long")) }
        if let principal = remembered.withLock({ $0[token] }) {
            return principal.expiresAt > wall ? .success(principal) : .failure(.tokenExpired)
        }
        do {
            let claims = try signedClaims(of: token)
            let principal = try principal(claims, now: Double(wall) / 1000)
            remembered.withLock { remembered in
                if remembered.count >= Self.rememberedCount { remembered.removeAll(keepingCapacity: true) }
                remembered[token] = principal
            }
            return .success(principal)
        } catch let refusal as TokenRefusal {
            return .failure(refusal.error)
        } catch {
            return .failure(.token("Token refused: it cannot be read"))
        }
    }

    /// The claims, once a key that may speak for them has signed them.
    private func signedClaims(of token: String) throws -> TokenClaims {
        let parser = DefaultJWTParser()
        let bytes = Array(token.utf8)
        let parts = try parser.getTokenParts(bytes)
        guard !parts.signature.isEmpty else { throw TokenRefusal("no signature") }
        let (header, claims, signature) = try parser.parse(bytes, as: TokenClaims.self)
        // An extension that must be understood (RFC 7515 §4.1.11): there is none that is.
        if header.fields["crit"] != nil { throw TokenRefusal("crit is not supported") }
        let candidates = keys.keys.filter { key in
            key.algorithm.name == header.alg && (header.kid == nil || key.id == nil || key.id == header.kid)
                && (key.issuer == nil || key.issuer == claims.iss)
        }
        if candidates.isEmpty { throw TokenRefusal("no key for it") }
        let signed = parts.header + [UInt8(ascii: ".")] + parts.payload
        for key in candidates where (try? key.algorithm.verify(signature, signs: signed)) == true { return claims }
        throw TokenRefusal("the signature is not good")
    }

    private func principal(_ claims: TokenClaims, now: Double) throws -> Principal {
        guard let subject = claims.sub, !subject.isEmpty else { throw TokenRefusal("sub is missing") }
        guard let expiry = claims.exp else { throw TokenRefusal("exp is missing") }
        let (seconds, _) = options.lifetime.components
        guard expiry.isFinite, expiry <= now + Double(seconds) + Self.leeway else {
            throw TokenRefusal("exp is too far ahead")
        }
        guard expiry > now else { throw TokenRefusal(error: .tokenExpired) }
        if let start = claims.nbf, !(start <= now + Self.leeway) { throw TokenRefusal("nbf has not come") }
        if let made = claims.iat, !(made <= now + Self.leeway) { throw TokenRefusal("iat has not come") }
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
            subject: subject, tokenID: claims.jti, publish: try patterns(claims.publish, of: "publish"),
            subscribe: try patterns(claims.subscribe, of: "subscribe"), isAdmin: claims.admin == true,
            issuedAt: claims.iat.map { Int64(max($0, 0) * 1000) }, expiresAt: Int64(expiry * 1000))
    }

    private func patterns(_ texts: [String]?, of claim: String) throws -> [ChannelPattern]? {
        guard let texts else { return nil }
        guard texts.count <= Self.maximumPatterns else { throw TokenRefusal("\(claim) names too many channels") }
        return try texts.map { text in
            guard let pattern = try? ChannelPattern(text, grammar: options.grammar, maximumBytes: 512) else {
                throw TokenRefusal("\(claim) names what is no channel or pattern")
            }
            return pattern
        }
    }
}

/// Why a token is refused. Its holder is told; nothing of the token is repeated.
private struct TokenRefusal: Error {
    let error: BayeuxError

    init(_ reason: String) {
        error = .token("Token refused: \(reason)")
    }

    init(error: BayeuxError) {
        self.error = error
    }
}

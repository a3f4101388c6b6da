import BrokerCore
import Crypto
import Foundation
import JWTKit

/// Keys of tokens. A key is for one algorithm, which its kind decides and no token can choose.
///
/// A file holds a PEM key (RSA: RS256, P-256: ES256, Ed25519: EdDSA), a JWK or a set of them (RFC 7517), or else the very
/// bytes of a secret for HS256, at least 32 of them.
package struct TokenKeys: Sendable {
    /// One key.
    struct Key: Sendable {
        /// The only `iss` that it speaks for; nil for any.
        let issuer: String?
        /// The `kid` by which tokens name it; nil for a key without a name.
        let id: String?
        let algorithm: any JWTAlgorithm
        /// The same key, to sign with.
        let collection: JWTKeyCollection
        /// Tells it from all others.
        let identity: TokenKeyIdentity

        /// The key that a collection has, for the algorithm with this name if that is not clear. `text` is what it was
        /// made from.
        init(
            issuer: String?, id: String?, _ collection: JWTKeyCollection, text: Data, algorithm name: String? = nil
        ) async throws {
            self.issuer = issuer
            self.id = id
            self.collection = collection
            algorithm = try await collection.getKey(alg: name)
            var hash = SHA256()
            for part in [issuer ?? "", id ?? ""] { hash.update(data: Data(part.utf8) + [0]) }
            hash.update(data: text)
            identity = TokenKeyIdentity(digest: hash.finalize().prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
        }
    }
    /// All that a broker has.
    private(set) var keys: [Key] = []
    /// Whether there are sets of keys that have not come yet.
    private(set) var isWaiting = false
    /// More than that are not tried for a token that names none.
    private static let maximumCount = 64
    /// A secret shorter than what HMAC-SHA-256 makes of it can be guessed (RFC 7518 §3.2).
    private static let minimumSecretBytes = 32

    /// These keys.
    init(_ keys: [Key] = []) {
        self.keys = keys
    }

    /// The keys in those of the sources that are files.
    package init(sources: [TokenKeySource]) async throws(TokenKeyError) {
        for source in sources {
            guard case .file(let path) = source.place else { continue }
            guard let bytes = try? Data(contentsOf: URL(filePath: path)) else {
                throw TokenKeyError(place: path, reason: "the file cannot be read")
            }
            keys += try await Self.checked(path) { try await Self.keys(in: bytes, issuer: source.issuer) }
            if keys.count > Self.maximumCount {
                throw TokenKeyError(place: path, reason: "there are more than \(Self.maximumCount) keys")
            }
        }
    }

    /// Adds the keys of a set; nil for one that has not come yet.
    mutating func add(_ set: [Key]?) {
        if let set { keys += set } else { isWaiting = true }
    }

    /// What an address has answered.
    struct Answer: Sendable {
        let keys: [Key]
        /// The names of what is for signatures, and of no use here.
        let passedOver: [String]
    }

    /// The keys in what the address of `source` has answered. Of a set, what is not for signatures that the broker
    /// checks is passed over (RFC 7517 §5): it is for others.
    static func keys(inAnswer bytes: Data, from source: TokenKeySource) async throws(TokenKeyError) -> Answer {
        try await checked(source.address ?? "") {
            var keys: [Key] = []
            var passedOver: [String] = []
            for member in try webKeys(in: bytes) where member.use.map({ $0 == "sig" }) ?? true {
                if let key = member.key, algorithmName(of: key) != nil,
                    let key = try? await Self.key(key, issuer: source.issuer)
                {
                    keys.append(key)
                } else {
                    passedOver.append(member.kid ?? "one without kid")
                }
            }
            if keys.isEmpty { throw TokenKeyProblem("no key in the answer is for RS256, ES256 or EdDSA") }
            if keys.count > maximumCount { throw TokenKeyProblem("there are more than \(maximumCount) keys") }
            return Answer(keys: keys, passedOver: passedOver)
        }
    }

    private static func checked<Found>(
        _ place: String, _ read: () async throws -> Found
    ) async throws(TokenKeyError) -> Found {
        do {
            return try await read()
        } catch let problem as TokenKeyProblem {
            throw TokenKeyError(place: place, reason: problem.reason)
        } catch {
            throw TokenKeyError(place: place, reason: "the key cannot be used: \(error)")
        }
    }

    private static func keys(in bytes: Data, issuer: String?) async throws -> [Key] {
        if bytes.first == UInt8(ascii: "{") {
            var keys: [Key] = []
            for found in try webKeys(in: bytes) {
                guard let key = found.key, algorithmName(of: key) != nil else {
                    throw TokenKeyProblem("key \(found.kid ?? "without kid") is for none of RS256, ES256 and EdDSA")
                }
                keys.append(try await Self.key(key, issuer: issuer))
            }
            return keys
        }
        if bytes.firstRange(of: Data("-----BEGIN ".utf8)) != nil {
            let collection = try await collection(pem: String(decoding: bytes, as: UTF8.self))
            return [try await Key(issuer: issuer, id: nil, collection, text: bytes)]
        }
        // An editor's line end is no part of the secret.
        let end = bytes.lastIndex { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        let secret = bytes[..<(end.map { $0 + 1 } ?? bytes.startIndex)]
        guard secret.count >= minimumSecretBytes else {
            throw TokenKeyProblem("a secret has at least \(minimumSecretBytes) bytes (openssl rand -hex 32 makes one)")
        }
        let collection = await JWTKeyCollection().add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
        return [try await Key(issuer: issuer, id: nil, collection, text: secret)]
    }

    /// The key in a PEM file, public or private.
    private static func collection(pem: String) async throws -> JWTKeyCollection {
        let collection = JWTKeyCollection()
        if let key = try? Insecure.RSA.PrivateKey(pem: pem) {
            await collection.add(rsa: key, digestAlgorithm: .sha256)
        } else if let key = try? Insecure.RSA.PublicKey(pem: pem) {
            await collection.add(rsa: key, digestAlgorithm: .sha256)
        } else if let key = try? ES256PrivateKey(pem: pem) {
            await collection.add(ecdsa: key)
        } else if let key = try? ES256PublicKey(pem: pem) {
            await collection.add(ecdsa: key)
        } else if let key = try? EdDSA.PrivateKey(pem: pem) {
            await collection.add(eddsa: key)
        } else if let key = try? EdDSA.PublicKey(pem: pem) {
            await collection.add(eddsa: key)
        } else {
            throw TokenKeyProblem("no RSA key of 2048 bits or more, P-256 key or Ed25519 key in this PEM file")
        }
        return collection
    }

    /// A member of a set, as far as it can be read.
    private struct Member: Decodable {
        let key: JWK?
        let kid: String?
        let use: String?

        private enum CodingKeys: CodingKey {
            case kid, use
        }

        init(from decoder: any Decoder) throws {
            key = try? JWK(from: decoder)
            let fields = try? decoder.container(keyedBy: CodingKeys.self)
            kid = try? fields?.decodeIfPresent(String.self, forKey: .kid)
            use = try? fields?.decodeIfPresent(String.self, forKey: .use)
        }
    }
    private struct Members: Decodable {
        let keys: [Member]
    }

    /// One JSON Web Key, or a set of them.
    private static func webKeys(in bytes: Data) throws -> [Member] {
        let decoder = JSONDecoder()
        let set = try? decoder.decode(Members.self, from: bytes).keys
        let found = set ?? (try? decoder.decode(Member.self, from: bytes)).map { $0.key == nil ? [] : [$0] }
        guard let found, !found.isEmpty else { throw TokenKeyProblem("neither a JSON Web Key nor a set of them") }
        return found
    }

    private static func key(_ key: JWK, issuer: String?) async throws -> Key {
        // Without them they are searched for, and of some numbers for ever.
        if key.keyType == .rsa, key.privateExponent != nil, key.prime1 == nil || key.prime2 == nil {
            throw TokenKeyProblem("a private RSA key has p and q")
        }
        var key = key
        let id = key.keyIdentifier?.string
        // A collection of its own: the library takes no key without a name, and we look for names ourselves.
        key.keyIdentifier = "key"
        let collection = try await JWTKeyCollection().add(jwk: key)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return try await Key(
            issuer: issuer, id: id, collection, text: try encoder.encode(key), algorithm: algorithmName(of: key))
    }

    /// The one algorithm of a key: what its `alg` says, which must go with its kind, or what its kind is for.
    private static func algorithmName(of key: JWK) -> String? {
        let name: String
        switch key.keyType {
        case .rsa: name = "RS256"
        case .ecdsa: name = "ES256"
        case .octetKeyPair: name = "EdDSA"
        default: return nil
        }
        return (key.algorithm?.rawValue ?? name) == name ? name : nil
    }

    /// A token with these claims, signed with the one private key in `file`.
    package static func sign(_ claims: TokenClaims, keyFile file: String) async throws(TokenKeyError) -> String {
        let keys = try await TokenKeys(sources: [TokenKeySource(file: file)])
        guard keys.keys.count == 1 else { throw TokenKeyError(place: file, reason: "a token is signed with one key") }
        let key = keys.keys[0]
        var header: JWTHeader = ["alg": .string(key.algorithm.name)]
        if let id = key.id { header.kid = id }
        do {
            return try await key.collection.sign(claims, header: header)
        } catch {
            throw TokenKeyError(place: file, reason: "this key does not sign; a token takes a private key or a secret")
        }
    }
}

/// What is wrong with keys, wherever they are.
struct TokenKeyProblem: Error {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}

/// A file, or an address, that gives no key.
package struct TokenKeyError: Error, CustomStringConvertible, Sendable {
    let place: String
    let reason: String

    package var description: String { "\(place): \(reason)" }
}

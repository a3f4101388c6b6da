import Crypto
import Foundation
import JWTKit

/// Keys of tokens, read from files. A key is for one algorithm, which its kind decides and no token can choose.
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

        /// The key that a collection has, for the algorithm with this name if that is not clear.
        init(issuer: String?, id: String?, _ collection: JWTKeyCollection, algorithm name: String? = nil) async throws {
            self.issuer = issuer
            self.id = id
            self.collection = collection
            algorithm = try await collection.getKey(alg: name)
        }
    }
    /// All that a broker has.
    private(set) var keys: [Key] = []
    /// More than that are not tried for a token that names none.
    private static let maximumCount = 64
    /// A secret shorter than what HMAC-SHA-256 makes of it can be guessed (RFC 7518 §3.2).
    private static let minimumSecretBytes = 32

    /// No keys.
    package init() {}

    /// The keys in files; each is named as `FILE`, or `ISSUER=FILE` for tokens of one issuer.
    package init(files: [String]) async throws(TokenKeyError) {
        for file in files { try await add(file) }
    }

    private mutating func add(_ text: String) async throws(TokenKeyError) {
        let (issuer, path) = Self.parts(of: text)
        guard let bytes = try? Data(contentsOf: URL(filePath: path)) else {
            throw TokenKeyError(file: path, reason: "the file cannot be read")
        }
        do {
            keys += try await Self.keys(in: bytes, issuer: issuer)
        } catch let problem as Problem {
            throw TokenKeyError(file: path, reason: problem.reason)
        } catch {
            throw TokenKeyError(file: path, reason: "the key cannot be used: \(error)")
        }
        if keys.count > Self.maximumCount {
            throw TokenKeyError(file: path, reason: "there are more than \(Self.maximumCount) keys")
        }
    }

    private static func keys(in bytes: Data, issuer: String?) async throws -> [Key] {
        if bytes.first == UInt8(ascii: "{") { return try await webKeys(in: bytes, issuer: issuer) }
        if bytes.firstRange(of: Data("-----BEGIN ".utf8)) != nil {
            let collection = try await collection(pem: String(decoding: bytes, as: UTF8.self))
            return [try await Key(issuer: issuer, id: nil, collection)]
        }
        // An editor's line end is no part of the secret.
        let end = bytes.lastIndex { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        let secret = bytes[..<(end.map { $0 + 1 } ?? bytes.startIndex)]
        guard secret.count >= minimumSecretBytes else {
            throw Problem("a secret has at least \(minimumSecretBytes) bytes (openssl rand -hex 32 makes one)")
        }
        let collection = await JWTKeyCollection().add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
        return [try await Key(issuer: issuer, id: nil, collection)]
    }

    /// `ISSUER=FILE` in its parts. A path that has a `=` in it is written with a slash before.
    private static func parts(of text: String) -> (issuer: String?, path: String) {
        guard !text.hasPrefix("/"), !text.hasPrefix("."), let sign = text.lastIndex(of: "=") else { return (nil, text) }
        return (String(text[..<sign]), String(text[text.index(after: sign)...]))
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
            throw Problem("no RSA key of 2048 bits or more, P-256 key or Ed25519 key in this PEM file")
        }
        return collection
    }

    private static func webKeys(in bytes: Data, issuer: String?) async throws -> [Key] {
        let decoder = JSONDecoder()
        let set = try? decoder.decode(JWKS.self, from: bytes).keys
        guard let found = set ?? (try? decoder.decode(JWK.self, from: bytes)).map({ [$0] }), !found.isEmpty else {
            throw Problem("neither a JSON Web Key nor a set of them")
        }
        var keys: [Key] = []
        for var key in found {
            let id = key.keyIdentifier?.string
            guard let name = algorithmName(of: key) else {
                throw Problem("key \(id ?? "without kid") is for none of RS256, ES256 and EdDSA")
            }
            // A collection of its own: the library takes no key without a name, and we look for names ourselves.
            key.keyIdentifier = "key"
            let collection = try await JWTKeyCollection().add(jwk: key)
            keys.append(try await Key(issuer: issuer, id: id, collection, algorithm: name))
        }
        return keys
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
        let keys = try await TokenKeys(files: ["./" + file].map { file.hasPrefix("/") ? file : $0 })
        guard keys.keys.count == 1 else { throw TokenKeyError(file: file, reason: "a token is signed with one key") }
        let key = keys.keys[0]
        var header: JWTHeader = ["alg": .string(key.algorithm.name)]
        if let id = key.id { header.kid = id }
        do {
            return try await key.collection.sign(claims, header: header)
        } catch {
            throw TokenKeyError(file: file, reason: "this key does not sign; a token takes a private key or a secret")
        }
    }
}

private struct Problem: Error {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}

/// A file that holds no key.
package struct TokenKeyError: Error, CustomStringConvertible, Sendable {
    let file: String
    let reason: String

    package var description: String { "\(file): \(reason)" }
}

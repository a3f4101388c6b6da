import ArgumentParser
import BrokerCore
import BrokerFront
import Foundation

/// `broker-server token`: makes a token.
struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Make a token, and print it.",
        discussion: """
            The key is a secret of at least 32 bytes (openssl rand -hex 32), or a private key in PEM or as a JWK: \
            RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA). The broker has it, or its public half, in auth.keys. \
            A token without --publish or --subscribe does not speak of that; the rules then say what it is good for.
            """)

    @Option(help: "Whose it is.")
    var subject: String

    @Option(help: ArgumentHelp("A channel or pattern that it lets publish to. Repeatable.", valueName: "channel"))
    var publish: [String] = []

    @Option(help: ArgumentHelp("A channel or pattern that it lets subscribe to. Repeatable.", valueName: "channel"))
    var subscribe: [String] = []

    @Flag(help: "It is the administrator's: every channel, and the administrator's pages.")
    var admin = false

    @Option(help: ArgumentHelp("When it ends: 30s, 15m, 1h, 7d.", valueName: "time"))
    var expires = "1h"

    @Option(help: ArgumentHelp("Who makes it (iss).", valueName: "name"))
    var issuer: String?

    @Option(help: ArgumentHelp("For whom it is made (aud). Repeatable.", valueName: "name"))
    var audience: [String] = []

    @Option(
        help: ArgumentHelp("Its own name (jti), by which it can be revoked; by default a random one.", valueName: "id"))
    var id: String?

    @Option(help: ArgumentHelp("The file with the key.", valueName: "file"))
    var key: String

    func run() async throws {
        guard let lifetime = Self.seconds(expires) else {
            throw fail("--expires: \(expires) is no time such as 30s, 15m, 1h or 7d", ExitStatus.usage)
        }
        let now = Date().timeIntervalSince1970.rounded(.down)
        var claims = TokenClaims()
        claims.sub = subject
        claims.iat = now
        claims.exp = now + lifetime
        claims.iss = issuer
        claims.aud = audience.isEmpty ? nil : .init(audience)
        claims.jti = id ?? UUID().uuidString.lowercased()
        claims.publish = publish.isEmpty ? nil : publish
        claims.subscribe = subscribe.isEmpty ? nil : subscribe
        claims.admin = admin ? true : nil
        do {
            let token = try await TokenKeys.sign(claims, keyFile: key)
            // One that the broker would refuse is of no use to anybody.
            var options = TokenVerifier.Options()
            options.audiences = audience
            options.lifetime = .seconds(lifetime + 1)
            let verifier = TokenVerifier(
                keys: try await TokenKeys(sources: [TokenKeySource(file: key)]), options: options)
            if case .failure(let refusal) = verifier.verify(token, wall: Int64(now * 1000)) {
                throw fail(refusal.text, ExitStatus.data)
            }
            warn(lifetime: lifetime)
            writeToStandardOutput(token + "\n")
        } catch let error as TokenKeyError {
            throw fail("\(error)", ExitStatus.data)
        }
    }

    /// Which broker it is for is not known here, only what one takes that was told nothing.
    private func warn(lifetime: Double) {
        let taken = TokenVerifier.Options().lifetime.components.seconds
        guard lifetime > Double(taken) else { return }
        writeToStandardError(
            "broker-server: a broker refuses this token, unless its auth.lifetime is \(expires) or more "
                + "(\(taken / 86_400)d by default)\n")
    }

    private static func seconds(_ text: String) -> Double? {
        let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        guard let unit = text.last.flatMap({ units[$0] }), let count = Double(text.dropLast()), count > 0, count < 1e9
        else { return nil }
        return count * unit
    }
}

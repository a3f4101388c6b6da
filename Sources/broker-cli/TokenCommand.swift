import ArgumentParser
import BrokerCore
import Foundation

/// `broker-cli token`: what has to do with tokens and needs no key.
struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Look into a token.",
        discussion: "broker-cli token inspect - < production.token", subcommands: [TokenInspectCommand.self])
}

/// `broker-cli token inspect TOKEN`: what a token says, whoever has signed it.
struct TokenInspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Print what a token says and how long it is good for, without trusting it.",
        discussion: """
            broker-cli token inspect "$TOKEN"
            broker-cli token inspect - < production.token

            No signature is checked: what is printed is what the token claims. '-' reads it from standard input.
            """)

    @Argument(help: "The token (a JSON Web Token).") var token: String

    func run() throws {
        let text = token == "-" ? readLine() ?? "" : token
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else { try refuse("it has \(parts.count) parts, where a signed token has 3") }
        let header = try object(in: parts[0], named: "header")
        let claims = try object(in: parts[1], named: "claims")
        print("header: \(header)\nclaims: \(claims)\nexpires: \(try expiry(in: claims))")
        print("signature: \(parts[2].isEmpty ? "none" : "not checked")")
    }

    private func refuse(_ reason: String) throws -> Never {
        Console.say("this is no JSON Web Token: \(reason)")
        throw ExitCode(65)
    }

    /// The JSON object that one part of the token holds, as it was written.
    private func object(in part: Substring, named name: String) throws -> String {
        var base64 = String(part).replacing("-", with: "+").replacing("_", with: "/")
        base64 += String(repeating: "=", count: (4 - base64.utf8.count % 4) % 4)
        guard let data = Data(base64Encoded: base64),
            (try? EnvelopeScanner().scanValue(validatingUTF8: Array(data).span.bytes))?.kind == .object
        else { try refuse("its \(name) is no JSON object in Base64url") }
        // Whoever made it may have put in what a terminal obeys.
        return String(decoding: data, as: UTF8.self).unicodeScalars
            .map { $0.properties.generalCategory == .control ? " " : String($0) }.joined()
    }

    private func expiry(in claims: String) throws -> String {
        let text = claims.utf8.span.bytes
        guard let value = try? EnvelopeScanner().scanValue(validatingUTF8: text),
            let seconds = value.member("exp", in: text).double(in: text)
        else { return "never, it says" }
        let left = seconds - Date().timeIntervalSince1970
        guard abs(left) < 1e11 else { return "at no time that this machine knows" }
        let date = Date(timeIntervalSince1970: seconds).formatted(.iso8601)
        let duration = Duration.seconds(abs(left.rounded())).formatted(.units(width: .narrow, maximumUnitCount: 2))
        return left > 0 ? "\(date), in \(duration)" : "\(date), \(duration) ago"
    }
}

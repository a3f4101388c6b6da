import ArgumentParser
import FanfareClient
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
        let token: UnverifiedToken
        do {
            token = try UnverifiedToken(text)
        } catch {
            Console.say("this is no JSON Web Token: \(error.reason)")
            throw ExitCode(65)
        }
        print("header: \(Self.shown(token.header))\nclaims: \(Self.shown(token.claims))\nexpires: \(expiry(of: token))")
        print("signature: \(token.hasSignature ? "not checked" : "none")")
    }

    /// Whoever made it may have put in what a terminal obeys.
    private static func shown(_ object: [UInt8]) -> String {
        String(decoding: object, as: UTF8.self).unicodeScalars
            .map { $0.properties.generalCategory == .control ? " " : String($0) }.joined()
    }

    private func expiry(of token: UnverifiedToken) -> String {
        guard let seconds = token.expiry else { return "never, it says" }
        let left = seconds - Date().timeIntervalSince1970
        guard abs(left) < 1e11 else { return "at no time that this machine knows" }
        let date = Date(timeIntervalSince1970: seconds).formatted(.iso8601)
        let duration = Duration.seconds(abs(left.rounded())).formatted(.units(width: .narrow, maximumUnitCount: 2))
        return left > 0 ? "\(date), in \(duration)" : "\(date), \(duration) ago"
    }
}

import ArgumentParser
import BrokerCore
import BrokerFront
import Foundation
import Logging

/// `broker-server explain publish|subscribe CHANNEL`: the rule that decides.
struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Say who may publish or subscribe to a channel, and which rule decides.",
        discussion: """
            The exit status is 1 when it is denied. With --as, the list of revoked tokens beside the database counts, and \
            is named: with another user's broker say which database it has (--database /var/lib/fanfare/fanfare.db).
            """)

    @Argument(help: "publish or subscribe.")
    var verb: AccessVerb

    @Argument(help: "A channel, or a pattern to subscribe to.")
    var channel: String

    @Option(name: .customLong("as"), help: "The token of who asks; without one, somebody who has none.")
    var token: String?

    @Flag(help: "A web page asks.")
    var browser = false

    @OptionGroup var options: DatabaseOptions

    func run() async throws {
        let settings = try options.settings()
        let keyring = TokenKeyring(logger: Logger(label: "explain") { _ in SwiftLogNoOpLogHandler() })
        do {
            keyring.adopt(try await keyring.prepare(settings.broker, mayComeLater: false))
        } catch {
            throw fail("\(error)", ExitStatus.configuration)
        }
        let limits = settings.broker.limits
        let target: ChannelPattern
        do {
            target = try ChannelPattern(channel, grammar: limits.grammar, maximumBytes: limits.channelBytes)
            if verb == .publish {
                _ = try ChannelName(channel, grammar: limits.grammar, maximumBytes: limits.channelBytes)
            }
        } catch {
            throw fail("\(channel): \(error)", ExitStatus.usage)
        }
        var caller = Caller(isBrowser: browser)
        var lines: [String] = []
        if let token {
            guard keyring.verifier.takesTokens else {
                throw fail("--as: the broker takes no tokens without auth.keys", ExitStatus.usage)
            }
            switch keyring.verifier.verify(token, wall: RevokeCommand.now) {
            case .failure(let refusal): throw fail(refusal.text, ExitStatus.data)
            case .success(let principal):
                let list = try Self.checkRevocations(principal, settings.database)
                caller.principal = principal
                lines += ["token: \(Self.describe(principal, verb))", "revocations: \(list)"]
            }
        }
        if target.isMeta || target.isService && verb == .subscribe {
            return try finish(false, ["rule: \(channel) is the broker's own, not for clients"])
        }
        if target.isService { return try finish(true, ["rule: services decide themselves"]) }
        let decision = settings.broker.access(takesTokens: keyring.verifier.takesTokens).decide(verb, target, caller)
        let rule = decision.pattern.map { "channels: \($0): \(verb.rawValue): " } ?? "auth.\(verb.rawValue): "
        try finish(decision.isAllowed, ["rule: \(rule)\(decision.audience.rawValue)"] + lines)
    }

    /// Ends when the token is on the list of revoked ones beside the database, or when that cannot be read; which list it is.
    private static func checkRevocations(_ principal: Principal, _ database: DatabaseLocation) throws -> String {
        guard let path = database.revocationPath else { return "none are kept by a broker without a database" }
        do {
            if try RevocationList(path: path).cover(principal) {
                throw fail("Token revoked: \(path)", ExitStatus.data)
            }
        } catch let error as RevocationError {
            throw fail("\(error)", ExitStatus.cannotCreate)
        }
        return FileManager.default.fileExists(atPath: path) ? path : "there is no \(path)"
    }

    private func finish(_ isAllowed: Bool, _ lines: [String]) throws {
        let who = browser ? "a web page" : "a program"
        let verdict = "\(isAllowed ? "allowed" : "denied"): \(verb.rawValue) \(channel) by \(who)"
        writeToStandardOutput(([verdict] + lines).joined(separator: "\n") + "\n")
        if !isAllowed { throw ExitCode(1) }
    }

    private static func describe(_ principal: Principal, _ verb: AccessVerb) -> String {
        if principal.isAdmin { return "\(principal.subject), the administrator" }
        let grants = verb == .publish ? principal.publish : principal.subscribe
        let what = grants.map { $0.isEmpty ? "nothing" : $0.map(\.text).joined(separator: ", ") }
        return "\(principal.subject), who is granted \(what ?? "what the rules say") to \(verb.rawValue)"
    }
}

extension AccessVerb: ExpressibleByArgument {}

import ArgumentParser
import BrokerFront
import BrokerStore
import Foundation

/// `broker-server revoke`: takes tokens back before they expire.
struct RevokeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Take tokens back before they expire.",
        discussion: """
            Works at once, also on sessions that exist, and lasts: the list is a file beside the database. \
            'broker-cli token inspect' shows a token's id (jti) and subject (sub). With --subject, tokens that say they \
            were made within the next five seconds go, too: the clock of who makes them may be ahead.

              broker-server revoke --subject alice

            What was published with them belongs to the channels, and stays: 'broker-cli retained list' shows what those \
            retain, 'broker-cli retained clear' clears it.
            """)

    @Option(help: ArgumentHelp("The id (jti) of one token.", valueName: "id"))
    var tokenID: String?

    @Option(help: ArgumentHelp("Whose tokens: all that were made up to now.", valueName: "name"))
    var subject: String?

    @OptionGroup var options: DatabaseOptions

    /// Milliseconds since 1970.
    static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    func validate() throws {
        if (tokenID == nil) == (subject == nil) { throw ValidationError("Give --token-id or --subject.") }
    }

    func run() throws {
        let path = try options.path()
        let text = tokenID.map { "token \($0)" } ?? "subject \(subject ?? "")"
        let revoked: String
        if let broker = ControlClient(database: path) {
            switch broker.run("revoke \(text)") {
            case .success(let answer): revoked = answer
            case .failure(let error): throw fail("\(error)", ExitStatus.cannotCreate)
            }
        } else {
            do {
                // A broker that began meanwhile might have read the list already.
                let database = try OfflineDatabase(path: path)
                revoked = try withExtendedLifetime(database) {
                    try RevocationList(path: DatabaseLocation(path).revocationPath).add(text, wall: Self.now)
                }
            } catch {
                throw fail("\(error)", ExitStatus.cannotCreate)
            }
        }
        writeToStandardOutput("revoked: \(revoked)\n")
    }
}

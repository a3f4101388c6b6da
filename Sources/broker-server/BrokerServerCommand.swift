import ArgumentParser
import BrokerCore
import BrokerFront

/// `broker-server`: serves, and what belongs to serving.
@main
struct BrokerServerCommand: AsyncParsableCommand {
    static let version = Fanfare.version
    static let configuration = CommandConfiguration(
        commandName: "broker-server",
        abstract: "A publish/subscribe message broker over WebSockets.",
        version: version,
        subcommands: [
            ServeCommand.self, CheckConfigCommand.self, PrintConfigCommand.self, ReloadCommand.self, BackupCommand.self,
            CheckCommand.self,
            MigrateCommand.self,
            TokenCommand.self, RevokeCommand.self, ExplainCommand.self,
        ],
        defaultSubcommand: ServeCommand.self)
}

/// How the program ends when something is wrong (sysexits.h).
enum ExitStatus {
    /// A flag has a value that it cannot have.
    static let usage = ExitCode(64)
    /// A token or a key is not good.
    static let data = ExitCode(65)
    /// The address cannot be listened on.
    static let unavailable = ExitCode(69)
    /// The database cannot be opened.
    static let cannotCreate = ExitCode(73)
    /// The configuration is wrong.
    static let configuration = ExitCode(78)
}

/// Says on standard error what is wrong, and ends with `code`.
func fail(_ message: String, _ code: ExitCode) -> ExitCode {
    writeToStandardError("broker-server: \(message)\n")
    return code
}

import ArgumentParser
import BrokerFront

/// `broker-server check-config FILE`: says what is wrong in a configuration file, or in the files that it names.
struct CheckConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Check a configuration file, and those that it names, without starting the broker.",
        discussion: """
            The files of keys and of TLS are read, too; no address is asked for its keys.
            Example: broker-server check-config /etc/fanfare/fanfare.yaml
            """)

    @Argument(help: "The configuration file (YAML).")
    var file: String

    func run() async throws {
        var settings = Settings()
        do {
            try ConfigurationFile(path: file).apply(to: &settings)
            try settings.complete()
            try await TokenKeyring.checkFiles(of: settings.broker)
            _ = try TLSCredentials(settings.broker.listeners)
        } catch {
            throw fail("\(error)", ExitStatus.configuration)
        }
        writeToStandardOutput("\(file): good\n")
    }
}

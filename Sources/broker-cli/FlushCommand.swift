import ArgumentParser
import FanfareClient

/// `broker-cli flush`: sends what waits in a spool.
struct FlushCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flush", abstract: "Publish what waits in the folder of publish --spool.",
        discussion: "broker-cli flush ~/outbox")

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The folder.") var folder: String
    @Option(help: ArgumentHelp("Keep trying for so long.", valueName: "seconds")) var retry = 30.0

    func run() async throws {
        var configuration = try checked { () throws(CLIError) in try connection.configuration(root.connection) }
        configuration.maximumOutage = .seconds(min(max(retry, 0), 1e9))
        let settings = configuration
        try await broker_cli.run("refused", settings) {
            let spool = try Spool(folder, isMade: false)
            let sender = SpoolSender(spool.files, settings)
            sender.end()
            try await sender.run()
        }
    }
}

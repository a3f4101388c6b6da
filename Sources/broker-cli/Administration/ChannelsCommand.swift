import ArgumentParser
import FanfareClient

/// `broker-cli channels`: what is subscribed to.
struct ChannelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "channels", abstract: "List the channels and patterns that have subscribers.",
        discussion: """
            broker-cli channels
            broker-cli channels '/chat/**'

            One JSON object per line, a table on a terminal. For the administrator: a program on the broker's machine \
            while the broker has no keys, else whoever has a token that says so.
            """)

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "Only those within this channel or pattern.") var pattern: String?

    func run() async throws {
        let configuration = try checked { () throws(CLIError) in try connection.configuration(root.connection) }
        try await broker_cli.run("channels", configuration) {
            if let pattern { try CLIError.checkChannel(pattern, mayBePattern: true) }
            let admin = try AdminClient(configuration)
            var printer = ObjectPrinter([
                .init(title: "CHANNEL", member: "channel"),
                .init(title: "SUBSCRIBERS", member: "subscribers", isNumber: true),
            ])
            try await admin.elements(
                of: "channels", "/channels", pattern.map { ["pattern=" + AdminClient.escaped($0)] } ?? []
            ) { try printer.add($0) }
            try printer.finish()
            await admin.close()
        }
    }
}

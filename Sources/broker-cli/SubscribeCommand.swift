import ArgumentParser
import BrokerCore

/// `broker-cli subscribe`: prints messages as they come.
struct SubscribeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "subscribe",
        abstract: "Print messages of channels, one JSON document per line.",
        discussion: """
            broker-cli subscribe /chat/room-1
            broker-cli subscribe '/chat/**' /news --count 10

            A pattern ends in /* (one more segment) or /** (any number of them); quote it, or the shell expands it.
            """,
        aliases: ["sub"])

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "Channels and patterns, such as /chat/room-1 or '/chat/**'.") var channels: [String]
    @Option(help: ArgumentHelp("End after so many messages.", valueName: "n")) var count: Int?

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count is a number above 0.") }
    }

    func run() async throws {
        try await broker_cli.run {
            for channel in channels { try CLIError.checkChannel(channel, mayBePattern: true) }
            let endpoint = try Endpoint(connection.url ?? root.connection.url)
            try await BayeuxClient.withConnection(to: endpoint) { client in
                try await client.handshake()
                try await client.subscribe(to: channels)
                try await client.connect()
                var remaining = count ?? .max
                while remaining > 0 {
                    let message = try await client.next()
                    if message.isConnectReply {
                        try await client.goOn(after: message)
                    } else if message.isDelivery {
                        try Console.write(message.line)
                        remaining -= 1
                    }
                }
                try await client.disconnect()
            }
        }
    }
}

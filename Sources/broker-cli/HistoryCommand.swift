import ArgumentParser
import FanfareClient

/// `broker-cli history`: what a channel keeps.
struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Print the messages that a channel keeps.",
        discussion: "broker-cli history /news --since 41 --limit 10")

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: FormatOptions
    @Argument(help: "The channel.") var channel: String
    @Option(help: ArgumentHelp("Begin behind this sequence number.", valueName: "seq")) var since: UInt64 = 0
    @Option(help: ArgumentHelp("Print at most so many, the oldest first.", valueName: "n")) var limit: Int?

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit is a number above 0.") }
    }

    func run() async throws {
        let settings = try checked { () throws(CLIError) in try connection.settings(root.connection) }
        let configuration = try checked { () throws(CLIError) in try settings.configuration() }
        try await broker_cli.run("history \(channel)", configuration) {
            try CLIError.checkChannel(channel, mayBePattern: false)
            var format = try output.outputFormat(settings)
            format.isColoured = Console.outputIsColoured
            let http = try HTTPConnection(configuration)
            var history = History(of: channel, since: since, over: http)
            var left = limit ?? .max
            while left > 0 {
                let page = try await history.next(limit: min(left, 1000))
                if page.isEmpty { break }
                var output: [UInt8] = []
                for message in page { format.append(message, to: &output) }
                try Console.write(output)
                left -= page.count
            }
            await http.close()
        }
    }
}

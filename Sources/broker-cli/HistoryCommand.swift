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
            var (position, left) = (since, limit ?? .max)
            while left > 0 {
                let page = try await History.read(channel, since: position, limit: min(left, 1000), over: http)
                var output: [UInt8] = []
                for message in page { format.append(message, to: &output) }
                try Console.write(output)
                left -= page.count
                guard let end = page.last?.sequence else { break }
                position = end
            }
            await http.close()
        }
    }
}

/// A channel's history over HTTP.
enum History {
    /// The messages behind `since`, at most `limit` of them, or fewer if the broker gives no more at a time: behind the
    /// last one there may be others unless there was none.
    static func read(
        _ channel: String, since: UInt64, limit: Int, over http: HTTPConnection
    ) async throws -> [Received] {
        let path = HTTPConnection.path(of: channel) + "?since=\(since)&limit=\(limit)"
        let answer = try await http.send("GET", path)
        guard answer.status == 200 else { throw CLIError(answer, channel) }
        let text = JSONText(answer.body)
        guard text.isArray else {
            throw CLIError.unreachable("\(channel): what answers is no broker, or its answer cannot be read")
        }
        return text.elements.map { Received(json: $0) }
    }
}

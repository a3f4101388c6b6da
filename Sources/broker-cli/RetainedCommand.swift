import ArgumentParser
import FanfareClient

/// `broker-cli retained`: the retained messages.
struct RetainedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retained", abstract: "List, get, set and clear retained messages.",
        discussion: """
            broker-cli retained list '/config/**'
            broker-cli retained get /config/theme
            broker-cli retained set /config/theme '"dark"'
            broker-cli retained clear /config/theme
            """,
        subcommands: [List.self, Get.self, Set.self, Clear.self])

    @ParentCommand var root: BrokerCLI

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print what is retained below channels and patterns.",
            discussion: "broker-cli retained list '/config/**'")
        @ParentCommand var parent: RetainedCommand
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "Channels and patterns (default: '/**').") var channels = ["/**"]
        @OptionGroup var output: FormatOptions

        func run() async throws {
            let settings = try checked { () throws(CLIError) in try connection.settings(parent.root.connection) }
            let configuration = try checked { () throws(CLIError) in try settings.configuration() }
            try await broker_cli.run("subscribe \(channels.joined(separator: " "))", configuration) {
                for channel in channels { try CLIError.checkChannel(channel, mayBePattern: true) }
                var format = try output.outputFormat(settings)
                format.isColoured = Console.outputIsColoured
                var reading = Reading(
                    channels: channels, end: ReadingEnd(retainedOnly: true),
                    reader: MessageReader(count: nil, format: format, position: nil, runner: nil),
                    past: LastMessages(), excluded: [], watchesOutput: true)
                try await reading.run(from: SubscribeOptions(start: .retained), configuration)
            }
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the data of a channel's retained message.",
            discussion: "broker-cli retained get /config/theme")
        @ParentCommand var parent: RetainedCommand
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "The channel.") var channel: String

        func run() async throws {
            let configuration = try checked { () throws(CLIError) in
                try connection.configuration(parent.root.connection)
            }
            try await broker_cli.run(channel, configuration) {
                try CLIError.checkChannel(channel, mayBePattern: false)
                let http = try HTTPConnection(configuration)
                let answer = try await http.send("GET", HTTPConnection.path(of: channel))
                await http.close()
                if answer.status == 404 { throw CLIError.missing("\(channel) has no retained message") }
                guard answer.status == 200 else { throw CLIError(answer, channel) }
                try Console.write(answer.body.last == 10 ? answer.body : answer.body + [10])
            }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Publish a document that is retained.",
            discussion: "broker-cli retained set /config/theme '\"dark\"'")
        @ParentCommand var parent: RetainedCommand
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "The channel.") var channel: String
        @Argument(help: "A JSON document, or @FILE.") var document: String
        @Option(help: ArgumentHelp("Drop the document after this time.", valueName: "seconds")) var ttl: Double?
        @OptionGroup var outage: OutageOptions

        func validate() throws {
            try ttl?.checkTimeToLive()
        }

        func run() async throws {
            let configuration = try checked { () throws(CLIError) in
                outage.limiting(try connection.configuration(parent.root.connection))
            }
            try await broker_cli.run("refused", configuration) {
                try CLIError.checkChannel(channel, mayBePattern: false)
                guard case .one(let bytes, let name) = try Documents(argument: document) else {
                    throw CLIError.usage("retained set takes a document or @FILE")
                }
                let data = try Documents.json(bytes[...], name: name, isRaw: false)
                try await withClient(configuration) { client in
                    try await client.publish(Publication(data, to: channel, retain: true, timeToLive: ttl))
                }
            }
        }
    }

    struct Clear: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Clear what is retained in channels and below patterns.",
            discussion: """
                broker-cli retained clear /config/theme
                broker-cli retained clear '/chat/**'

                A pattern takes a token that may subscribe to it and publish below it. 'retained list' shows what there is.
                """)
        @ParentCommand var parent: RetainedCommand
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "Channels and patterns.") var channels: [String]
        @OptionGroup var outage: OutageOptions

        func run() async throws {
            let configuration = try checked { () throws(CLIError) in
                outage.limiting(try connection.configuration(parent.root.connection))
            }
            try await broker_cli.run("refused", configuration) {
                for channel in channels { try CLIError.checkChannel(channel, mayBePattern: true) }
                let patterns = channels.filter { $0.hasSuffix("/*") || $0.hasSuffix("/**") }
                let names = channels.filter { !patterns.contains($0) }
                var clearing = RetainedClearing(configuration: configuration)
                try await clearing.clear(names)
                try await clearing.clear(below: patterns)
                if Console.errorIsTerminal { Console.say("cleared \(Quantity.count(clearing.count, "channel"))") }
            }
        }
    }
}

import ArgumentParser
import BrokerCore
import FanfareClient
import Foundation

/// `broker-cli request`: asks a service of the broker.
struct RequestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "request", abstract: "Send a document to a service, and print its answer.",
        discussion: "broker-cli request /service/time '{}'", aliases: ["req"])

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The service, such as /service/time.") var channel: String
    @Argument(help: "A JSON document, or @FILE.") var document: String
    @Option(help: ArgumentHelp("Wait so long for the answer.", valueName: "seconds")) var timeout = 5.0

    func validate() throws {
        if !(timeout > 0 && timeout <= 1e9) { throw ValidationError("--timeout is a number of seconds above 0.") }
        if document == "-" { throw ValidationError("A request takes a document or @FILE.") }
    }

    func run() async throws {
        let configuration = try checked { () throws(CLIError) in try connection.configuration(root.connection) }
        try await broker_cli.run("request", configuration) {
            guard channel.hasPrefix("/service/") else {
                throw CLIError.data("\(channel) is no service: its name begins with /service/")
            }
            guard case .one(let bytes, let name) = try Documents(argument: document) else { return }
            let data = try Documents.json(bytes[...], name: name, isRaw: false)
            let client = try BayeuxClient(configuration)
            let cause = StopCause()
            let timer = Task { [timeout] in
                try await Task.sleep(for: .seconds(timeout))
                cause.set(1)
                await client.abandon()
            }
            defer { timer.cancel() }
            do {
                try await client.connect()
                let answer = try await client.request(channel, data)
                try Console.write((answer.data.isEmpty ? Array("null".utf8)[...] : answer.data) + [10])
            } catch {
                await client.close()
                if cause.signal != nil { throw CLIError.timeout("\(channel) has not answered in time") }
                throw error
            }
            await client.close()
        }
    }
}

/// `broker-cli history`: what a channel keeps.
struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Print the messages that a channel keeps.",
        discussion: "broker-cli history /news --since 41 --limit 10")

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The channel.") var channel: String
    @Option(help: ArgumentHelp("Begin behind this sequence number.", valueName: "seq")) var since: UInt64 = 0
    @Option(help: ArgumentHelp("Print at most so many, the oldest first.", valueName: "n")) var limit: Int?
    @Option(help: ArgumentHelp("ndjson, raw, pretty or a template.", valueName: "format")) var format: String?

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit is a number above 0.") }
        if let format { _ = try OutputFormat(format) }
    }

    func run() async throws {
        let configuration = try checked { () throws(CLIError) in try connection.configuration(root.connection) }
        try await broker_cli.run("history \(channel)", configuration) {
            try CLIError.checkChannel(channel, mayBePattern: false)
            let format = try OutputFormat(format ?? (Console.outputIsTerminal ? "pretty" : "ndjson"))
            let http = try HTTPConnection(configuration)
            var (position, left) = (since, limit ?? .max)
            while left > 0 {
                let wanted = min(left, 1000)
                let page = try await History.read(channel, since: position, limit: wanted, over: http)
                var output: [UInt8] = []
                for message in page { format.append(message, to: &output) }
                try Console.write(output)
                left -= page.count
                guard page.count == wanted, let end = page.last?.sequence else { break }
                position = end
            }
            await http.close()
        }
    }
}

/// A channel's history over HTTP.
enum History {
    static func read(
        _ channel: String, since: UInt64, limit: Int, over http: HTTPConnection
    ) async throws -> [Received] {
        let path = HTTPConnection.path(of: channel) + "?since=\(since)&limit=\(limit)"
        let answer = try await http.send("GET", path)
        guard answer.status == 200 else { throw CLIError(answer, channel) }
        return JSONText(answer.body).elements.map { Received(json: $0) }
    }
}

/// `broker-cli retained`: the retained messages.
struct RetainedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retained", abstract: "List, get, set and clear retained messages.",
        subcommands: [List.self, Get.self, Set.self, Clear.self])

    @ParentCommand var root: BrokerCLI

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print what is retained below channels and patterns.")
        @ParentCommand var parent: RetainedCommand
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "Channels and patterns (default: '/**').") var channels = ["/**"]
        @Option(help: ArgumentHelp("ndjson, raw, pretty or a template.", valueName: "format")) var format: String?

        func run() async throws {
            let outer = parent.root.connection
            var arguments = channels + ["--retained-only"]
            if let format { arguments += ["--format", format] }
            for (name, value) in [
                ("--url", connection.url ?? outer.url), ("--token", connection.token ?? outer.token),
                ("--ca", connection.ca ?? outer.ca),
            ] {
                if let value { arguments += [name, value] }
            }
            let command = try BrokerCLI.parseAsRoot(["subscribe"] + arguments) as? SubscribeCommand
            try await command?.run()
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print the data of a channel's retained message.")
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
        static let configuration = CommandConfiguration(abstract: "Publish a document that is retained.")
        @ParentCommand var parent: RetainedCommand
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "The channel.") var channel: String
        @Argument(help: "A JSON document, or @FILE.") var document: String
        @Option(help: ArgumentHelp("Drop the document after this time.", valueName: "seconds")) var ttl: Double?

        func run() async throws {
            let configuration = try checked { () throws(CLIError) in
                try connection.configuration(parent.root.connection)
            }
            try await broker_cli.run("refused", configuration) {
                try CLIError.checkChannel(channel, mayBePattern: false)
                guard case .one(let bytes, let name) = try Documents(argument: document) else {
                    throw CLIError.usage("retained set takes a document or @FILE")
                }
                let data = try Documents.json(bytes[...], name: name, isRaw: false)
                try await retain(Publication(data, to: channel, retain: true, timeToLive: ttl), configuration)
            }
        }
    }

    struct Clear: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Clear what channels retain.")
        @ParentCommand var parent: RetainedCommand
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "The channels.") var channels: [String]

        func run() async throws {
            let configuration = try checked { () throws(CLIError) in
                try connection.configuration(parent.root.connection)
            }
            try await broker_cli.run("refused", configuration) {
                for channel in channels { try CLIError.checkChannel(channel, mayBePattern: false) }
                for channel in channels {
                    try await retain(Publication(Array("null".utf8), to: channel, retain: true), configuration)
                }
            }
        }
    }

    private static func retain(_ publication: Publication, _ configuration: ClientConfiguration) async throws {
        let client = try BayeuxClient(configuration)
        do {
            try await client.connect()
            try await client.publish(publication)
        } catch {
            await client.close()
            throw error
        }
        await client.close()
    }
}

/// `broker-cli flush`: sends what waits in a spool.
struct FlushCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flush", abstract: "Publish what waits in the folder of publish --spool.")

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The folder.") var folder: String
    @Option(help: ArgumentHelp("Keep trying for so long.", valueName: "seconds")) var retry = 30.0

    func run() async throws {
        var configuration = try checked { () throws(CLIError) in try connection.configuration(root.connection) }
        configuration.maximumOutage = .seconds(min(max(retry, 0), 1e9))
        try await broker_cli.run("refused", configuration) {
            try await SpoolSender(spool: try Spool(folder), configuration: configuration).run()
        }
    }
}

/// `broker-cli completions`: what a shell loads to complete commands and flags.
struct CompletionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completions", abstract: "Print completions for bash, zsh or fish.",
        discussion: "broker-cli completions bash > /etc/bash_completion.d/broker-cli")

    @Argument(help: "bash, zsh or fish.") var shell: String

    func run() throws {
        guard let shell = CompletionShell(rawValue: shell) else {
            throw ValidationError("There are completions for bash, zsh and fish, not for \(shell).")
        }
        print(BrokerCLI.completionScript(for: shell))
    }
}

import ArgumentParser
import BrokerCore
import FanfareClient

/// `broker-cli subscribe`: prints messages as they come.
struct SubscribeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "subscribe",
        abstract: "Print messages of channels, one JSON document per line.",
        discussion: """
            broker-cli subscribe /chat/room-1
            broker-cli subscribe '/chat/**' /news --count 10
            broker-cli subscribe '/**' --exclude '/debug/**' --format '%{channel} %{data}'
            broker-cli subscribe /news --all --until-end --print0 | xargs -0 -n1 echo
            broker-cli subscribe '/jobs/*' --state ~/jobs.state --exec ./work

            A pattern ends in /* (one more segment) or /** (any number of them); quote it, or the shell expands it. A lost \
            connection is made again, for as long as it takes, and goes on where it was.

            Formats: ndjson, the message as it came; raw, its data; pretty, for people, which is the default on a \
            terminal; or a template such as '%{channel} %{data}', with %{channel}, %{data}, %{seq}, %{time}, %{size} and \
            %{json} (all of the message), %{id} (brokers other than Fanfare give messages ids), \\n, \\t, \\0, \\e and %%.

            With --exec the command gets the data on standard input, and FANFARE_CHANNEL, FANFARE_SEQ and FANFARE_ID (as \
            %{id}) in its environment. When it fails, the program ends with status 70. With --state the position in the broker's \
            log is kept in a file, and the next start goes on behind it: each stored message is printed, or has its \
            command succeed, at least once. The broker stores what its configuration says, and nothing else: \
            channels: {/jobs/*: {history: 10000}}
            """,
        aliases: ["sub"])

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: FormatOptions
    @OptionGroup var range: SubscribeRange
    @Argument(
        help: "Channels and patterns, such as /chat/room-1 or '/chat/**'.",
        completion: .custom { arguments, _, _ in await ChannelCompletion.names(arguments) })
    var channels: [String]
    @Option(
        name: [.customShort("T"), .long], parsing: .singleValue,
        help: ArgumentHelp("Leave out messages of this channel or pattern; may be repeated.", valueName: "pattern"))
    var exclude: [String] = []
    @Flag(name: [.customShort("0"), .customLong("print0")], help: "A NUL behind each message, and no line end.")
    var printsNUL = false
    @Flag(help: "End when the connection is lost.") var noReconnect = false
    @Option(help: ArgumentHelp("Keep trying for so long to make the first connection.", valueName: "seconds"))
    var retry: Double?
    @Flag(help: "Have the broker send each message again until it is known to have come (ext.ack).") var ack = false
    @Option(help: ArgumentHelp("Keep the position in this file.", valueName: "file"), completion: .file())
    var state: String?
    @Option(
        help: ArgumentHelp("Run this shell command for each message.", valueName: "command"),
        completion: .shellCommand("compgen -c"))
    var exec: String?
    @Option(help: ArgumentHelp("Commands that may run at a time.", valueName: "n")) var execConcurrency = 1

    func validate() throws {
        try retry?.checkRetry()
        if !(1...1000 ~= execConcurrency) { throw ValidationError("--exec-concurrency is a number from 1 to 1000.") }
        if range.retainedOnly, state != nil { throw ValidationError("--retained-only has no position for --state.") }
    }

    func run() async throws {
        let settings = try checked { () throws(CLIError) in try connection.settings(root.connection) }
        var configuration = try checked { () throws(CLIError) in try settings.configuration() }
        configuration.maximumFirstOutage = .seconds(retry ?? 0)
        configuration.maximumOutage = noReconnect ? .zero : nil
        configuration.acknowledgesMessages = ack
        try await broker_cli.run("subscribe \(channels.joined(separator: " "))", configuration) {
            for channel in channels { try CLIError.checkChannel(channel, mayBePattern: range.last == nil) }
            for pattern in exclude { try CLIError.checkChannel(pattern, mayBePattern: true) }
            let position = try state.map { path throws(CLIError) in try PositionFile(path) }
            // Where a position is saved, it goes on there: the last messages have had their turn.
            let last = position?.saved == nil ? range.last : nil
            let past = try await LastMessages(last, of: channels, configuration)
            var format = try output.outputFormat(settings, otherwise: exec == nil ? nil : "raw")
            if printsNUL { format.terminator = 0 }
            format.isColoured = Console.outputIsColoured && exec == nil
            let reader = MessageReader(
                count: range.count, format: format, position: position,
                runner: exec.map { CommandRunner($0, concurrency: execConcurrency, position: position) })
            var reading = Reading(
                channels: channels, end: range.end, reader: reader, past: past,
                excluded: exclude.compactMap {
                    try? ChannelPattern($0, grammar: .cometd, maximumBytes: .max)
                }, watchesOutput: exec == nil)
            try await reading.run(from: range.start(position?.saved, past), configuration)
        }
    }
}

/// Where a subscription begins, and when it ends.
struct SubscribeRange: ParsableArguments {
    @Option(help: ArgumentHelp("End after so many messages.", valueName: "n")) var count: Int?
    @Option(help: ArgumentHelp("End after this time; status 124 if --count is not reached.", valueName: "seconds"))
    var timeout: Double?
    @Option(
        help: ArgumentHelp(
            "End when nothing has come for this time; status 124 if --count is not reached.", valueName: "seconds"))
    var idle: Double?
    @Flag(help: "End when all that was kept has come.") var untilEnd = false
    @Option(help: ArgumentHelp("Begin behind this sequence number; 0 for all that is kept.", valueName: "seq"))
    var since: UInt64?
    @Option(help: ArgumentHelp("Begin with the last so many messages of the channels' history.", valueName: "n"))
    var last: Int?
    @Flag(help: "Begin with all that is kept.") var all = false
    @Flag(help: "Begin with what is published from now on, without what is retained.") var new = false
    @Flag(help: "Print what is retained, and end.") var retainedOnly = false

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count is a number above 0.") }
        if let last, last < 1 { throw ValidationError("--last is a number above 0.") }
        for (name, value) in [("--timeout", timeout), ("--idle", idle)] {
            if let value, !(value > 0 && value <= 1e9) {
                throw ValidationError("\(name) is a number of seconds above 0.")
            }
        }
        if [since != nil, last != nil, all, new, retainedOnly].count(where: { $0 }) > 1 {
            throw ValidationError("--since, --last, --all, --new and --retained-only exclude each other.")
        }
    }

    var end: ReadingEnd {
        ReadingEnd(count: count, timeout: timeout, idle: idle, untilEnd: untilEnd, retainedOnly: retainedOnly)
    }

    func start(_ saved: PositionFile.Position?, _ past: LastMessages) -> SubscribeOptions {
        if let saved { return .init(start: .after(saved.sequence, epoch: saved.epoch)) }
        if let since { return .init(start: since == 0 ? .everything : .after(since)) }
        if last != nil { return .init(start: past.end.map { .after($0.sequence, epoch: $0.epoch) } ?? .new) }
        if all { return .init(start: .everything) }
        return .init(start: new ? .new : .retained)
    }
}

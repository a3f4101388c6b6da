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
            broker-cli subscribe '/jobs/*' --state ~/jobs.state --exec ./work

            A pattern ends in /* (one more segment) or /** (any number of them); quote it, or the shell expands it. A lost \
            connection is made again, for as long as it takes, and goes on where it was.

            Formats: ndjson, the message as it came; raw, its data; pretty, for people, which is the default on a \
            terminal; or a template such as '%{channel} %{data}', with %{channel} %{data} %{seq} %{id}, \\n, \\t and %%.

            With --exec the command gets the data on standard input, and FANFARE_CHANNEL, FANFARE_SEQ and FANFARE_ID in \
            its environment. When it fails, the program ends with status 70. With --state the position in the broker's \
            log is kept in a file, and the next start goes on behind it: each stored message is printed, or has its \
            command succeed, at least once.
            """,
        aliases: ["sub"])

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "Channels and patterns, such as /chat/room-1 or '/chat/**'.") var channels: [String]
    @Option(help: ArgumentHelp("End after so many messages.", valueName: "n")) var count: Int?
    @Option(
        help: ArgumentHelp("End after this time; status 124 if --count is not reached.", valueName: "seconds"))
    var timeout: Double?
    @Option(help: ArgumentHelp("Begin behind this sequence number; 0 for all that is kept.", valueName: "seq"))
    var since: UInt64?
    @Option(help: ArgumentHelp("Begin with the last so many messages of the channels' history.", valueName: "n"))
    var last: Int?
    @Flag(help: "Print what is retained, and end.") var retainedOnly = false
    @Option(help: ArgumentHelp("ndjson, raw, pretty or a template.", valueName: "format")) var format: String?
    @Flag(help: "End when the connection is lost.") var noReconnect = false
    @Option(help: ArgumentHelp("Keep trying for so long to make the first connection.", valueName: "seconds"))
    var retry: Double?
    @Flag(help: "Have the broker send each message again until it is known to have come (ext.ack).") var ack = false
    @Option(help: ArgumentHelp("Keep the position in this file.", valueName: "file")) var state: String?
    @Option(help: ArgumentHelp("Run this shell command for each message.", valueName: "command")) var exec: String?
    @Option(help: ArgumentHelp("Commands that may run at a time.", valueName: "n")) var execConcurrency = 1

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count is a number above 0.") }
        if let last, last < 1 { throw ValidationError("--last is a number above 0.") }
        if let timeout, !(timeout > 0 && timeout <= 1e9) {
            throw ValidationError("--timeout is a number of seconds above 0.")
        }
        if let retry, !(retry >= 0 && retry <= 1e9) { throw ValidationError("--retry is a number of seconds.") }
        if !(1...1000 ~= execConcurrency) { throw ValidationError("--exec-concurrency is a number from 1 to 1000.") }
        if [since != nil, last != nil, retainedOnly].count(where: { $0 }) > 1 {
            throw ValidationError("--since, --last and --retained-only exclude each other.")
        }
        if retainedOnly, state != nil { throw ValidationError("--retained-only has no position for --state.") }
        if let format { _ = try OutputFormat(format) }
    }

    func run() async throws {
        var configuration = try checked { () throws(CLIError) in try connection.configuration(root.connection) }
        configuration.maximumFirstOutage = .seconds(retry ?? 0)
        configuration.maximumOutage = noReconnect ? .zero : nil
        configuration.acknowledgesMessages = ack
        try await broker_cli.run("subscribe \(channels.joined(separator: " "))", configuration) {
            for channel in channels { try CLIError.checkChannel(channel, mayBePattern: last == nil) }
            let position = try state.map { path throws(CLIError) in try PositionFile(path) }
            let past = try await LastMessages(last, of: channels, configuration)
            let format = try OutputFormat(
                format ?? (exec != nil ? "raw" : Console.outputIsTerminal ? "pretty" : "ndjson"))
            var reader = MessageReader(
                count: count, format: format, position: position,
                runner: exec.map { CommandRunner($0, concurrency: execConcurrency, position: position) })
            try await read(with: &reader, past: past, start: start(position, past), configuration)
        }
    }

    private func start(_ position: PositionFile?, _ past: LastMessages) -> SubscribeOptions {
        if let saved = position?.saved { return .init(start: .after(saved.sequence, epoch: saved.epoch)) }
        if let since { return .init(start: since == 0 ? .everything : .after(since)) }
        if last != nil { return .init(start: past.position.map { .after($0) } ?? .new) }
        return .init()
    }

    private func read(
        with reader: inout MessageReader, past: LastMessages, start: SubscribeOptions,
        _ configuration: ClientConfiguration
    ) async throws {
        let client = try BayeuxClient(configuration)
        let cause = StopCause()
        let timeout = timeout
        async let states: Void = tell(client.states())
        defer { cause.set(-1) }
        do {
            let signals = StopSignals { number in
                cause.set(number)
                Task { await client.close() }
            }
            defer { withExtendedLifetime(signals) {} }
            if exec == nil {
                Console.watchOutput {
                    cause.set(-4)
                    Task { await client.close() }
                }
            }
            // -4: nobody reads our output; -2: the time is over; -3: no more that is retained.
            let timer = timeout.map { seconds in
                Task {
                    try await Task.sleep(for: .seconds(seconds))
                    cause.set(-2)
                    await client.close()
                }
            }
            defer { timer?.cancel() }
            try await client.connect()
            let messages = try await client.subscribe(to: channels, options: start)
            let silence = Silence()
            let idle =
                retainedOnly
                ? Task {
                    try await silence.wait(.milliseconds(500))
                    cause.set(-3)
                    await client.close()
                } : nil
            defer { idle?.cancel() }
            try await reader.take(past.messages)
            while !reader.isDone, let batch = try await messages.nextBatch() {
                silence.break()
                let wanted = batch.filter { (!retainedOnly || $0.isRetained) && !past.contains($0) }
                try await reader.take(wanted)
                if retainedOnly, batch.contains(where: { !$0.isRetained }) { break }
            }
            try await reader.finish()
        } catch {
            await client.close()
            try? reader.savePosition()
            if let signal = cause.signal, signal > 0 { throw CLIError.signal(signal) }
            if cause.signal == -4 { throw CLIError.brokenPipe }
            guard cause.signal == -2, (error as? ClientError)?.kind == .closed else { throw error }
        }
        await client.close()
        await states
        guard !reader.isDone, let signal = cause.signal else { return }
        if signal == -4 { throw CLIError.brokenPipe }
        if signal > 0 { throw CLIError.signal(signal) }
        if signal == -2, count != nil { throw late(reader) }
    }

    private func late(_ reader: MessageReader) -> CLIError {
        .timeout("the time is over after \(reader.takenCount) messages")
    }
}

/// The end of the channels' histories, over HTTP.
struct LastMessages {
    private(set) var messages: [Received] = []
    /// What has to be asked for again, because a channel was read before another.
    private(set) var position: UInt64?

    init(_ count: Int?, of channels: [String], _ configuration: ClientConfiguration) async throws {
        guard let count else { return }
        let http = try HTTPConnection(configuration)
        for channel in channels {
            var page: [Received] = []
            var end: UInt64 = 0
            repeat {
                page = try await History.read(channel, since: end, limit: 10_000, over: http)
                end = page.last?.sequence ?? end
                messages = Array((messages + page).sorted { ($0.sequence ?? 0) < ($1.sequence ?? 0) }.suffix(count))
            } while page.count == 10_000
            if end > 0 { position = min(position ?? end, end) }
        }
        await http.close()
    }

    func contains(_ message: Message) -> Bool {
        guard let sequence = message.sequence, !messages.isEmpty else { return false }
        return messages.contains { $0.sequence == sequence }
    }
}

/// A time without messages.
final class Silence: Sendable {
    private let heard = Counter()

    func `break`() { heard.next() }

    func wait(_ time: Duration) async throws {
        var last = -1
        while last != heard.current {
            last = heard.current
            try await Task.sleep(for: time)
        }
    }
}

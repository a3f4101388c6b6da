import BrokerCore
import FanfareClient

/// When a subscription ends; by default it does not.
struct ReadingEnd {
    /// After so many messages.
    var count: Int?
    /// After so many seconds.
    var timeout: Double?
    /// When nothing has come for so many seconds.
    var idle: Double?
    /// When all that was kept has come.
    var untilEnd = false
    /// When all that is retained has come; nothing else is read.
    var retainedOnly = false
}

/// A subscription at work: until it has what was asked for, or there is a reason to stop.
struct Reading {
    /// What is kept has come when nothing has come for that long, unless `idle` says another time.
    static let endSilence = Duration.milliseconds(500)

    let channels: [String]
    let end: ReadingEnd
    var reader: MessageReader
    let past: LastMessages
    let excluded: [ChannelPattern]
    /// Whether to end when nobody reads standard output.
    let watchesOutput: Bool
    private(set) var hasConnected = false

    mutating func run(from start: SubscribeOptions, _ configuration: ClientConfiguration) async throws {
        let client = try BayeuxClient(configuration)
        let cause = StopCause()
        async let states: Void = tell(client.states())
        do {
            try await read(client, from: start, cause)
        } catch {
            await client.close()
            try? reader.savePosition()
            try Self.fail(cause.stop)
            guard cause.stop == .timeIsOver, (error as? ClientError)?.kind == .closed else { throw error }
            guard hasConnected else {
                throw CLIError.unreachable("\(configuration.endpoint): the time is over, and there was no connection")
            }
        }
        await client.close()
        await states
        guard !reader.isDone, let stop = cause.stop else { return }
        try Self.fail(stop)
        if end.count != nil, stop == .timeIsOver || stop == .silence {
            let why = stop == .silence ? "nothing more has come" : "the time is over"
            throw CLIError.timeout("\(why) after \(Quantity.count(reader.takenCount, "message"))")
        }
    }

    /// The errors that reasons to stop are.
    private static func fail(_ stop: Stop?) throws(CLIError) {
        if case .signal(let number) = stop { throw .signal(number) }
        if stop == .outputClosed { throw .brokenPipe }
    }

    private mutating func read(
        _ client: BayeuxClient, from start: SubscribeOptions, _ cause: StopCause
    ) async throws {
        @Sendable func stop(_ reason: Stop) {
            if cause.set(reason) { Task { await client.close() } }
        }
        let signals = StopSignals { stop(.signal($0)) }
        defer { withExtendedLifetime(signals) {} }
        if watchesOutput { Console.watchOutput { stop(.outputClosed) } }
        let silence = Silence()
        var waits: [Task<Void, any Error>] = []
        defer { for wait in waits { wait.cancel() } }
        if let seconds = end.timeout {
            waits.append(
                Task {
                    try await Task.sleep(for: .seconds(seconds))
                    stop(.timeIsOver)
                })
        }
        let states = client.states()
        async let _ = silence.follow(states)
        try await client.connect()
        hasConnected = true
        let messages = try await client.subscribe(to: channels, options: start)
        if Console.errorIsTerminal { Console.say("subscribed to \(channels.joined(separator: " ")); Ctrl-C ends") }
        let idle = end.idle.map { Duration.seconds($0) }
        let quiet: (Duration, Stop)? =
            end.retainedOnly || end.untilEnd ? (idle ?? Self.endSilence, .end) : idle.map { ($0, .silence) }
        if let (time, reason) = quiet {
            waits.append(
                Task {
                    try await silence.wait(time)
                    stop(reason)
                })
        }
        try await reader.take(past.messages)
        while !reader.isDone, let batch = try await silence.nextBatch(of: messages) {
            try await take(batch)
            if end.retainedOnly, batch.contains(where: { !$0.isRetained }) { break }
        }
        try await reader.finish()
        if Console.errorIsTerminal { Console.say(Quantity.count(reader.takenCount, "message")) }
    }

    private mutating func take(_ batch: [Message]) async throws {
        guard end.retainedOnly || !excluded.isEmpty else {
            return try await reader.take(batch)
        }
        let (end, excluded) = (end, excluded)
        try await reader.take(
            batch.filter { message in
                if end.retainedOnly, !message.isRetained { return false }
                guard !excluded.isEmpty,
                    let name = try? ChannelName(message.channel, grammar: .cometd, maximumBytes: .max)
                else { return true }
                return !excluded.contains { $0.matches(name) }
            })
    }
}

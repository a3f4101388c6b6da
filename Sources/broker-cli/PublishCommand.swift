import ArgumentParser
import BrokerCore
import FanfareClient

/// `broker-cli publish`: publishes one document, or each line of standard input.
struct PublishCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish",
        abstract: "Publish JSON documents to a channel.",
        discussion: """
            broker-cli publish /chat/room-1 '{"text":"Hello"}'
            broker-cli publish /news @article.json --retain
            tail -f log.ndjson | broker-cli publish /log -
            uptime | broker-cli publish /host/uptime --raw --spool ~/outbox
            broker-cli publish /load '{"n":{{count}}}' --template --count 1000 --rate 50

            With '-' or without a document each line of standard input is one; no line at all is an error. The program \
            ends when the broker has acknowledged every one of them (--window 1: one by one). A lost connection is made \
            again, and what was not acknowledged is sent again with the same id, by which the broker knows it. On a \
            terminal, or with --verbose, the sequence number and the number of subscribers are told.

            With --spool each document is written to the folder, and synced, before it is sent; what the broker has taken \
            is removed. While the broker is away more is kept, up to --spool-limit; then the input has to wait, for --retry. \
            What is left when the program ends, however it ends, is sent first by the next publish with the \
            same folder, or by broker-cli flush. A stored document that is sent again within five minutes is stored \
            once, as long as the broker remembers its key: it has room for 65,536, and when that is used up, the subject \
            that has the most of them, and more than 4,096, loses its oldest one; else the oldest of all goes.
            """,
        aliases: ["pub"])

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The channel, such as /chat/room-1.") var channel: String
    @Argument(help: "A JSON document, @FILE, or - for one document per line of standard input.") var document: String?
    @Flag(help: "Publish null; with --retain that clears what the channel retains.") var null = false
    @Flag(
        help:
            "Replace {{count}}, {{time}}, {{unix}}, {{id}} and {{random}} in each document: a number from 1, now, the same in ms, a UUID, a whole number."
    )
    var template = false
    @Flag(help: "Keep the document as the channel's retained message; null clears it.") var retain = false
    @Flag(help: "The document, or each line, is any text: publish it as a JSON string.") var raw = false
    @Option(help: ArgumentHelp("Drop the document after this time.", valueName: "seconds")) var ttl: Double?
    @Option(help: ArgumentHelp("Publish the document so many times.", valueName: "n")) var count = 1
    @Option(help: ArgumentHelp("Publish at most so many documents in a second.", valueName: "n")) var rate: Double?
    @Option(
        help: ArgumentHelp("The message's id: what one session sends twice with it is taken once.", valueName: "id"))
    var id: String?
    @Option(
        help: ArgumentHelp(
            "Acknowledgements that may be missing at a time; of more than 128 some may be stored twice when the connection is lost.",
            valueName: "n")) var window = 128
    @Option(
        help: ArgumentHelp(
            "Keep trying for so long when there is no connection (default: 30 when it was lost, 0 at the beginning).",
            valueName: "seconds"))
    var retry: Double?
    @Option(help: ArgumentHelp("An outbox on disk.", valueName: "folder"), completion: .directory) var spool: String?
    @Option(help: ArgumentHelp("What the outbox may hold, in bytes.", valueName: "bytes")) var spoolLimit = 1 << 30
    @Flag(name: .shortAndLong, help: "Tell on standard error what was published, as on a terminal.") var verbose = false
    @Flag(name: .shortAndLong, help: "Do not, not even on a terminal.") var quiet = false

    func validate() throws {
        try ttl?.checkTimeToLive()
        if count < 1 { throw ValidationError("--count is a number above 0.") }
        if let rate, !(rate > 0 && rate.isFinite) { throw ValidationError("--rate is a number above 0.") }
        try retry?.checkRetry()
        if !(1...1024 ~= window) { throw ValidationError("--window is a number from 1 to 1024.") }
        if null, document != nil || raw || template { throw ValidationError("--null is the document.") }
        let isLines = !null && (document == nil || document == "-")
        if isLines, count > 1 { throw ValidationError("--count needs a document.") }
        if id != nil, isLines || count > 1 { throw ValidationError("--id is for a single document.") }
        if spoolLimit < 1 { throw ValidationError("--spool-limit is a number of bytes above 0.") }
        if id != nil, spool != nil { throw ValidationError("--spool gives each document an id of its own.") }
    }

    private var isTelling: Bool { verbose || (Console.errorIsTerminal && !quiet) }

    func run() async throws {
        var configuration = try checked { () throws(CLIError) in try connection.configuration(root.connection) }
        configuration.window = window
        configuration.maximumOutage = .seconds(retry ?? 30)
        configuration.maximumFirstOutage = .seconds(retry ?? 0)
        let settings = configuration
        try await broker_cli.run("refused", settings) {
            try CLIError.checkChannel(channel, mayBePattern: false)
            let source = try Documents(argument: null ? "null" : document)
            var feed = try PublishFeed(source, isRaw: raw, isTemplate: template, count: count, rate: rate) {
                var publication = Publication($0, to: channel, retain: retain, timeToLive: ttl)
                publication.id = id
                publication.wantsReceipt = isTelling
                return publication
            }
            let (cause, wakeUp) = (StopCause(), WakeUp())
            if let spool {
                let folder = try Spool(spool, limit: spoolLimit)
                let isReading = if case .lines = source { true } else { false }
                var sink = SpoolSink(folder, settings, isTelling: isTelling, isReading: isReading, cause, wakeUp)
                try await publish(&feed, to: &sink, cause, wakeUp) {}
            } else {
                let client = try BayeuxClient(settings)
                async let states: Void = tell(client.states())
                do {
                    try await client.connect()
                    var sink = ClientSink(client, isTelling: isTelling)
                    try await publish(&feed, to: &sink, cause, wakeUp) {
                        // What is under way has a little time to be acknowledged.
                        try? await Task.sleep(for: .seconds(5))
                        await client.abandon()
                    }
                } catch {
                    await client.close()
                    throw error
                }
                await client.close()
                await states
            }
        }
    }

    /// Publishes all there is; a signal ends the input, and then `hurry` is called.
    private func publish(
        _ feed: inout PublishFeed, to sink: inout some PublicationSink, _ cause: StopCause, _ wakeUp: WakeUp,
        hurry: @escaping @Sendable () async -> Void
    ) async throws {
        let signals = StopSignals { number in
            cause.set(.signal(number))
            wakeUp.wake()
            Task { await hurry() }
        }
        defer { withExtendedLifetime(signals) {} }
        do {
            try await feed.run(into: &sink, cause, wakeUp)
        } catch {
            if case .signal(let number) = cause.stop { throw CLIError.signal(number) }
            throw error
        }
        if case .signal(let number) = cause.stop { throw CLIError.signal(number) }
    }
}

/// Holds publications to a rate.
struct Pace {
    private let interval: Duration?
    private var next = ContinuousClock.now

    init(rate: Double?) { interval = rate.map { .seconds(1 / $0) } }

    mutating func wait() async throws {
        guard let interval else { return }
        let now = ContinuousClock.now
        if next > now { try await Task.sleep(until: next, clock: .continuous) }
        next = max(next, now) + interval
    }
}

/// Tells what becomes of the connection, on standard error; of a first one that does not come about only the end is told.
func tell(_ states: AsyncStream<ConnectionState>) async {
    var hasBeenConnected = false
    var isAway = false
    for await state in states {
        switch state {
        case .connected(_, let resumed):
            if isAway {
                Console.say(
                    resumed ? "connected again" : hasBeenConnected ? "connected again, in a new session" : "connected")
            }
            (hasBeenConnected, isAway) = (true, false)
        case .disconnected(let error, _):
            if !isAway { Console.say("\(error); trying again") }
            isAway = true
        case .connecting, .closed: break
        }
    }
}

/// What is published; the broker's core has a type of that name, too.
typealias Publication = FanfareClient.Publication

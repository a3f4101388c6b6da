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

            With '-' or without a document each line of standard input is one. The program ends when the broker has \
            acknowledged every one of them. A lost connection is made again, and what was not acknowledged is sent again \
            with the same id, by which the broker knows it.

            With --spool each document is written to the folder, and synced, before it is sent; what the broker has taken \
            is removed. What is left when the program ends, however it ends, is sent first by the next publish with the \
            same folder, or by broker-cli flush. A stored document that is sent again within five minutes is stored once.
            """,
        aliases: ["pub"])

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The channel, such as /chat/room-1.") var channel: String
    @Argument(help: "A JSON document, @FILE, or - for one document per line of standard input.") var document: String?
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
    @Option(help: ArgumentHelp("An outbox on disk.", valueName: "folder")) var spool: String?

    func validate() throws {
        if let ttl, !(ttl > 0 && ttl.isFinite) { throw ValidationError("--ttl is a number of seconds above 0.") }
        if count < 1 { throw ValidationError("--count is a number above 0.") }
        if let rate, !(rate > 0 && rate.isFinite) { throw ValidationError("--rate is a number above 0.") }
        if let retry, !(retry >= 0 && retry <= 1e9) { throw ValidationError("--retry is a number of seconds.") }
        if !(1...1024 ~= window) { throw ValidationError("--window is a number from 1 to 1024.") }
        let isLines = document == nil || document == "-"
        if isLines, count > 1 { throw ValidationError("--count needs a document.") }
        if id != nil, isLines || count > 1 { throw ValidationError("--id is for a single document.") }
        if id != nil, spool != nil { throw ValidationError("--spool gives each document an id of its own.") }
    }

    func run() async throws {
        var configuration = try checked { () throws(CLIError) in try connection.configuration(root.connection) }
        configuration.window = window
        configuration.maximumOutage = .seconds(retry ?? 30)
        configuration.maximumFirstOutage = .seconds(retry ?? 0)
        try await broker_cli.run("refused", configuration) {
            try CLIError.checkChannel(channel, mayBePattern: false)
            let source = try Documents(argument: document)
            var documents: [[UInt8]] = []
            if case .one(let bytes, let name) = source {
                documents = [try Documents.json(bytes[...], name: name, isRaw: raw)]
            }
            if let spool {
                var sink = SpoolSink(try Spool(spool), configuration)
                try await feed(documents, to: &sink)
            } else {
                let client = try BayeuxClient(configuration)
                async let states: Void = tell(client.states())
                do {
                    try await client.connect()
                    var sink = ClientSink(client)
                    try await feed(documents, to: &sink)
                } catch {
                    await client.close()
                    throw error
                }
                await client.close()
                await states
            }
        }
    }

    /// Gives the documents, or standard input's lines, to where they go. A line that is no JSON ends it, after what came
    /// before is acknowledged.
    private func feed(_ documents: [[UInt8]], to sink: inout some PublicationSink) async throws {
        var pace = Pace(rate: rate)
        if let document = documents.first {
            for _ in 0..<count {
                try await pace.wait()
                try await sink.put([publication(document)])
            }
        } else {
            var reader = LineReader()
            while let lines = try await reader.next() {
                var batch: [Publication] = []
                var failure: CLIError?
                for line in lines where !line.bytes.isBlank {
                    do throws(CLIError) {
                        let document = try Documents.json(line.bytes, name: "line \(line.number)", isRaw: raw)
                        batch.append(publication(document))
                    } catch {
                        failure = error
                        break
                    }
                    if rate != nil {
                        try await pace.wait()
                        try await sink.put(batch)
                        batch = []
                    }
                }
                try await sink.put(batch)
                if let failure {
                    try await sink.finish()
                    throw failure
                }
            }
        }
        try await sink.finish()
    }

    private func publication(_ document: [UInt8]) -> Publication {
        var publication = Publication(document, to: channel, retain: retain, timeToLive: ttl)
        publication.id = id
        return publication
    }
}

/// Where publications go.
protocol PublicationSink {
    /// Takes publications; returns when there is room for more.
    mutating func put(_ publications: [Publication]) async throws
    /// Returns when all of them are safe. Throws if one was refused.
    mutating func finish() async throws
}

/// Gives them to the broker.
struct ClientSink: PublicationSink {
    /// Publications that wait or are under way at most.
    private static let most = 4096

    private let client: BayeuxClient
    private var tickets: [(ticket: PublicationTicket, count: Int)] = []
    private var openCount = 0
    private var doneCount = 0
    private var refusal: ClientError?
    private var refusedCount = 0

    init(_ client: BayeuxClient) { self.client = client }

    mutating func put(_ publications: [Publication]) async throws {
        guard !publications.isEmpty else { return }
        tickets.append((client.enqueue(publications), publications.count))
        openCount += publications.count
        while openCount > Self.most || tickets.count > 256 { try await settleFirst() }
    }

    mutating func finish() async throws {
        while !tickets.isEmpty { try await settleFirst() }
        guard let refusal else { return }
        guard refusedCount > 1, let answer = refusal.answer else { throw refusal }
        throw CLIError.refused("\(refusedCount) messages refused", error: answer)
    }

    private mutating func settleFirst() async throws {
        let (ticket, count) = tickets.removeFirst()
        for outcome in try await ticket.outcomes() {
            guard case .failure(let error) = outcome else { continue }
            guard error.kind == .refused else { throw error }
            refusedCount += 1
            refusal = refusal ?? error
        }
        openCount -= count
        doneCount += count
        if doneCount > count { Console.showProgress("\(doneCount) published") }
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

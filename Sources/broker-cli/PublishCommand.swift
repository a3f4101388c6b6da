import ArgumentParser
import BrokerCore

/// `broker-cli publish`: publishes one document, or each line of standard input.
struct PublishCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish",
        abstract: "Publish JSON documents to a channel.",
        discussion: """
            broker-cli publish /chat/room-1 '{"text":"Hello"}'
            broker-cli publish /news @article.json --retain
            tail -f log.ndjson | broker-cli publish /log -

            With '-' or without a document each line of standard input is one. The program ends when the broker has \
            acknowledged every one of them.
            """,
        aliases: ["pub"])

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The channel, such as /chat/room-1.") var channel: String
    @Argument(help: "A JSON document, @FILE, or - for one document per line of standard input.") var document: String?
    @Flag(help: "Keep the document as the channel's retained message; null clears it.") var retain = false
    @Option(help: ArgumentHelp("Drop the document after this time.", valueName: "seconds")) var ttl: Double?

    func validate() throws {
        if let ttl, !(ttl > 0 && ttl.isFinite) { throw ValidationError("--ttl is a number of seconds above 0.") }
    }

    func run() async throws {
        try await broker_cli.run {
            try CLIError.checkChannel(channel, mayBePattern: false)
            let documents = try Documents(argument: document)
            if case .one(let bytes, let name) = documents { try CLIError.checkJSON(bytes[...], name: name) }
            let endpoint = try Endpoint(connection.url ?? root.connection.url)
            try await BayeuxClient.withConnection(to: endpoint) { client in
                try await client.handshake()
                var publisher = Publisher(channel: channel, options: options)
                switch documents {
                case .one(let bytes, _): publisher.append(bytes[...])
                case .lines: try await publishLines(with: &publisher, over: &client)
                }
                try await publisher.flush(over: &client)
                try await publisher.finish(over: &client)
                try await client.disconnect()
            }
        }
    }

    private var options: PublishOptions { PublishOptions(retain: retain, timeToLive: ttl) }

    /// Publishes each line; one that is no JSON ends it, after what came before is acknowledged.
    private func publishLines(with publisher: inout Publisher, over client: inout BayeuxClient) async throws {
        var reader = LineReader()
        while let lines = try await reader.next() {
            for line in lines where !line.bytes.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }) {
                do {
                    try CLIError.checkJSON(line.bytes, name: "line \(line.number)")
                } catch {
                    try await publisher.flush(over: &client)
                    try await publisher.finish(over: &client)
                    throw error
                }
                publisher.append(line.bytes)
                if publisher.isFull { try await publisher.flush(over: &client) }
            }
            try await publisher.flush(over: &client)
        }
    }
}

/// Puts publications into batches and keeps count of what is not acknowledged yet.
struct Publisher {
    /// Publications under way at most; beyond it, acknowledgements are waited for.
    private static let window = 1_024
    private static let batchCount = 256
    private static let batchBytes = 64 * 1024

    private let head: [UInt8]
    private let tail: [UInt8]
    private var batch: [UInt8] = []
    private var batchedCount = 0
    private var sentCount = 0
    private var answeredCount = 0
    /// The first refusal, and how many there were.
    private var refusal: String?
    private var refusedCount = 0

    init(channel: String, options: PublishOptions) {
        var head = Array(#"{"channel":"#.utf8)
        head.append(jsonString: channel)
        head += #","data":"#.utf8
        self.head = head
        var ext: [String] = []
        if options.retain { ext.append(#""retain":true"#) }
        if let seconds = options.timeToLive { ext.append(#""ttl":\#(seconds)"#) }
        tail = Array((ext.isEmpty ? "" : ",\"ext\":{\(ext.joined(separator: ","))}").utf8)
    }

    /// Whether the batch should go out.
    var isFull: Bool { batchedCount >= Self.batchCount || batch.count >= Self.batchBytes }

    /// Adds a document, valid JSON, to the batch.
    mutating func append(_ document: ArraySlice<UInt8>) {
        batchedCount += 1
        batch.append(batch.isEmpty ? UInt8(ascii: "[") : UInt8(ascii: ","))
        batch += head
        batch += document
        batch += tail
        batch += #","id":"\#(sentCount + batchedCount)"}"#.utf8
    }

    /// Sends the batch; waits for acknowledgements while too many are missing.
    mutating func flush(over client: inout BayeuxClient) async throws {
        guard batchedCount > 0 else { return }
        batch.append(UInt8(ascii: "]"))
        try await client.send(batch)
        sentCount += batchedCount
        batchedCount = 0
        batch.removeAll(keepingCapacity: true)
        try await awaitAnswers(over: &client, until: sentCount - Self.window)
    }

    /// Waits until everything is acknowledged. Throws if something was refused.
    mutating func finish(over client: inout BayeuxClient) async throws {
        try await awaitAnswers(over: &client, until: sentCount)
        guard let refusal else { return }
        throw CLIError.refused(refusedCount == 1 ? "refused" : "\(refusedCount) messages refused", error: refusal)
    }

    private mutating func awaitAnswers(over client: inout BayeuxClient, until count: Int) async throws {
        while answeredCount < count {
            let message = try await client.next()
            guard let isSuccessful = message.isSuccessful else { continue }
            answeredCount += 1
            if !isSuccessful {
                refusedCount += 1
                refusal = refusal ?? message.error
            }
        }
    }
}

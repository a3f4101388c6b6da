import BrokerCore
import FanfareClient

/// Gives documents, or the lines of standard input, to where publications go.
struct PublishFeed {
    private let source: Documents
    private let isRaw: Bool
    private let template: DocumentTemplate?
    private let count: Int
    private let hasRate: Bool
    private var pace: Pace
    private let make: ([UInt8]) -> Publication
    /// The one document, if it is not made anew each time.
    private var document: [UInt8] = []
    private var madeCount = 0

    /// `make` puts the publication of a document together. Throws when the document is no JSON.
    init(
        _ source: Documents, isRaw: Bool, isTemplate: Bool, count: Int, rate: Double?,
        make: @escaping ([UInt8]) -> Publication
    ) throws(CLIError) {
        self.source = source
        self.isRaw = isRaw
        template = isTemplate ? DocumentTemplate() : nil
        self.count = count
        hasRate = rate != nil
        pace = Pace(rate: rate)
        self.make = make
        guard case .one(let bytes, let name) = source, !isTemplate else { return }
        document = try Documents.json(bytes[...], name: name, isRaw: isRaw)
    }

    /// Publishes everything, or what there is until it is to stop. A line that is no JSON ends it, after what came before
    /// is acknowledged.
    mutating func run(into sink: inout some PublicationSink, _ cause: StopCause, _ wakeUp: WakeUp) async throws {
        do {
            if case .one(let bytes, let name) = source {
                try await repeatDocument(bytes, name, into: &sink, cause)
            } else {
                try await readLines(into: &sink, LineReader(wakeUp), cause)
            }
        } catch let error as CLIError {
            // What came before it is not lost for that; the first error is the one that counts.
            do {
                try await sink.finish(cause.stop)
            } catch {
                Console.say("\(error)")
            }
            throw error
        }
        try await sink.finish(cause.stop)
    }

    private mutating func repeatDocument(
        _ bytes: [UInt8], _ name: String, into sink: inout some PublicationSink, _ cause: StopCause
    ) async throws {
        for _ in 0..<count where cause.stop == nil {
            try await pace.wait()
            let document = template == nil ? document : try made(of: bytes[...], name)
            try await sink.put([make(document)])
        }
    }

    private mutating func readLines(
        into sink: inout some PublicationSink, _ reader: consuming LineReader, _ cause: StopCause
    ) async throws {
        if Console.inputIsTerminal { Console.say("reading documents, one on each line; Ctrl-D ends") }
        var hasDocument = false
        while cause.stop == nil, let lines = try await reader.next() {
            var batch: [Publication] = []
            batch.reserveCapacity(lines.count)
            var failure: CLIError?
            for line in lines where !line.bytes.isBlank {
                hasDocument = true
                do throws(CLIError) {
                    batch.append(make(try made(of: line.bytes, "line \(line.number)")))
                } catch {
                    failure = error
                    break
                }
                if hasRate {
                    try await pace.wait()
                    if cause.stop != nil { return }
                    try await sink.put(batch)
                    batch = []
                }
            }
            try await sink.put(batch)
            if let failure { throw failure }
        }
        if !hasDocument, cause.stop == nil {
            throw CLIError.data("there is nothing to publish: standard input is empty, and no document was given")
        }
    }

    private mutating func made(of bytes: ArraySlice<UInt8>, _ name: String) throws(CLIError) -> [UInt8] {
        guard let template else { return try Documents.json(bytes, name: name, isRaw: isRaw) }
        madeCount += 1
        return try Documents.json(template.expand(bytes, number: madeCount, name: name)[...], name: name, isRaw: isRaw)
    }
}

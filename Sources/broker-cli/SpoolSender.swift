import ArgumentParser
import FanfareClient
import Foundation
import Synchronization

/// Sends a spool, while it fills and until it is empty; when nothing more comes, for as long as is allowed.
final class SpoolSender: Sendable {
    let files: SpoolFolder
    private let configuration: ClientConfiguration
    private let isTelling: Bool
    private let isReading: Bool
    private let hasBegun = Atomic<Bool>(false)
    private let hasEnded = Atomic<Bool>(false)
    private let isOver = Atomic<Bool>(false)
    private let more: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    /// A sender; with `isReading` its input comes from a pipe, a file or a terminal.
    init(
        _ files: SpoolFolder, _ configuration: ClientConfiguration, isTelling: Bool = Console.errorIsTerminal,
        isReading: Bool = false
    ) {
        self.files = files
        self.configuration = configuration
        (self.isTelling, self.isReading) = (isTelling, isReading)
        (more, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Whether the sending is over, before all is sent.
    var hasFailed: Bool { isOver.load(ordering: .acquiring) }

    /// There is more to send.
    func noticeMore() {
        hasBegun.store(true, ordering: .releasing)
        continuation.yield()
    }

    /// Nothing more comes.
    func end() {
        hasEnded.store(true, ordering: .releasing)
        continuation.finish()
    }

    /// Returns when nothing more comes and all is sent. Throws the first refusal, or why it gave up. When the sending has
    /// failed, `stopInput` ends the input, but not before something of it is kept: it may be all there is.
    func run(stopInput: () -> Void = {}) async throws {
        var changes = more.makeAsyncIterator()
        let http: HTTPConnection
        do {
            http = try HTTPConnection(configuration)
        } catch {
            try await fail(error, &changes, stopInput)
            throw error
        }
        var refusal: CLIError?
        var (failures, sentCount) = (0, 0)
        var isAway = false
        var givesUpAt: ContinuousClock.Instant?
        while true {
            // Before the folder is looked at: what came earlier is in it.
            let isLast = hasEnded.load(ordering: .acquiring)
            do {
                try await files.send(over: http) {
                    refusal = refusal ?? $0
                } progress: {
                    sentCount += 1
                    (failures, isAway, givesUpAt) = (0, false, nil)
                    if sentCount % 100 == 0 { Console.showProgress("\(sentCount) published") }
                }
                if isLast { break }
                _ = await changes.next()
            } catch {
                guard let reason = reason(error) else {
                    await http.close()
                    try await fail(error, &changes, stopInput)
                    throw error
                }
                if !isAway { Console.say("\(reason); trying again") }
                isAway = true
                let now = ContinuousClock.now
                if isLast {
                    givesUpAt = givesUpAt ?? now + (configuration.maximumOutage ?? .seconds(30))
                    if let givesUpAt, now >= givesUpAt { throw CLIError.later(try files.waiting()) }
                }
                failures += 1
                // While there is input it is kept, and its end is not to wait for long.
                let most = min(0.5 * Double(1 << min(failures, 6)), isLast ? 20 : 1)
                try await Task.sleep(for: .seconds(Double.random(in: 0...most)))
            }
        }
        await http.close()
        if isTelling { Console.say("\(sentCount) published from \(files.folder)") }
        if let refusal { throw refusal }
    }

    /// The sending is over: returns when nothing more comes.
    private func fail(
        _ error: any Error, _ changes: inout AsyncStream<Void>.AsyncIterator, _ stopInput: () -> Void
    ) async throws {
        isOver.store(true, ordering: .releasing)
        // Who reads a pipe may have to wait for long.
        if isReading, !hasBegun.load(ordering: .acquiring) {
            Console.say("\(describe(error)); what comes first is kept")
        }
        while !hasBegun.load(ordering: .acquiring), await changes.next() != nil {}
        stopInput()
        while await changes.next() != nil {}
        Console.say(try files.waiting())
    }

    /// Why it is worth trying again; nil if it is not.
    private func reason(_ error: any Error) -> String? {
        let isUnreachable = (error as? ClientError)?.kind == .unreachable
        return isUnreachable || (error as? CLIError)?.status == .init(75) ? describe(error) : nil
    }

    private func describe(_ error: any Error) -> String {
        guard let error = error as? ClientError else { return "\(error)" }
        return CLIError(error, "refused", endpoint: configuration.endpoint).description
    }
}

extension SpoolFolder {
    /// How much waits, for people.
    func waiting() throws(CLIError) -> String {
        let count = try waitingCount()
        return "\(count) \(count == 1 ? "document waits" : "documents wait") in \(folder)"
    }
}

/// Keeps publications in a spool, which is sent meanwhile. When that has failed for good, no more are taken once there is
/// one.
struct SpoolSink: PublicationSink {
    private let spool: Spool
    private let sender: SpoolSender
    private let sending: Task<Void, any Error>
    /// How long to wait for room.
    private let patience: Duration

    /// When the sending has failed and something is kept, `cause` is told, and `wakeUp` wakes whoever waits for input.
    init(
        _ spool: Spool, _ configuration: ClientConfiguration, isTelling: Bool, isReading: Bool, _ cause: StopCause,
        _ wakeUp: WakeUp
    ) {
        self.spool = spool
        let sender = SpoolSender(spool.files, configuration, isTelling: isTelling, isReading: isReading)
        self.sender = sender
        patience = configuration.maximumOutage ?? .seconds(30)
        sending = Task {
            try await sender.run {
                cause.set(.outboxFailed)
                wakeUp.wake()
            }
        }
    }

    mutating func put(_ publications: [Publication]) async throws {
        guard !publications.isEmpty else { return }
        let start = ContinuousClock.now
        while try !spool.append(publications) {
            guard !sender.hasFailed, ContinuousClock.now - start < patience else {
                throw CLIError.cannotCreate(
                    "\(spool.files.folder) is full (--spool-limit), and \(try spool.files.waiting()); "
                        + "what came last is not kept")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        sender.noticeMore()
    }

    mutating func finish(_ stop: Stop?) async throws {
        guard stop == nil || stop == .outboxFailed else { return Console.say(try spool.files.waiting()) }
        sender.end()
        try await sending.value
    }
}

import FanfareClient

/// Where publications go.
protocol PublicationSink {
    /// Takes publications; returns when there is room for more.
    mutating func put(_ publications: [Publication]) async throws
    /// Returns when all of them are safe, `stop` being why no more come. Throws if one was refused.
    mutating func finish(_ stop: Stop?) async throws
}

/// Gives them to the broker.
struct ClientSink: PublicationSink {
    /// Publications that wait or are under way at most.
    private static let most = 4096

    private let client: BayeuxClient
    private let isTelling: Bool
    private let start = ContinuousClock.now
    private var tickets: [(ticket: PublicationTicket, count: Int)] = []
    private var openCount = 0
    private var doneCount = 0
    private var refusal: ClientError?
    private var refusedCount = 0
    private var first, last: PublicationReceipt?

    init(_ client: BayeuxClient, isTelling: Bool) {
        self.client = client
        self.isTelling = isTelling
    }

    mutating func put(_ publications: [Publication]) async throws {
        guard !publications.isEmpty else { return }
        tickets.append((client.enqueue(publications), publications.count))
        openCount += publications.count
        while openCount > Self.most || tickets.count > 256 { try await settleFirst() }
    }

    mutating func finish(_ stop: Stop?) async throws {
        do {
            while !tickets.isEmpty { try await settleFirst() }
        } catch {
            tell()
            throw error
        }
        tell()
        guard let refusal else { return }
        guard doneCount > 1, let answer = refusal.answer else { throw refusal }
        throw CLIError.refused("\(refusedCount) of \(doneCount) messages refused", error: answer)
    }

    private mutating func settleFirst() async throws {
        let (ticket, count) = tickets.removeFirst()
        for outcome in try await ticket.outcomes() {
            switch outcome {
            case .success(let receipt):
                if isTelling {
                    first = first ?? receipt
                    last = receipt
                }
            case .failure(let error):
                guard error.kind == .refused else { throw error }
                refusedCount += 1
                refusal = refusal ?? error
            }
        }
        openCount -= count
        doneCount += count
        if doneCount > count { Console.showProgress("\(doneCount) published") }
    }

    private func tell() {
        let count = doneCount - refusedCount
        guard isTelling, count > 0, let first, let last else { return }
        let matched = last.matchedCount.map { Quantity.count($0, "subscriber") + " now" }
        guard count > 1 else {
            let stored = last.sequence.map { "seq \($0)" } ?? "not kept"
            return Console.say("published: \([stored, matched].compactMap(\.self).joined(separator: ", "))")
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        var text = "\(count) published in \(Quantity.seconds(seconds)) (\(Quantity.rate(Double(count) / seconds)))"
        if let from = first.sequence, let to = last.sequence { text += ", seq \(from) to \(to)" }
        if let matched { text += "; the last one: \(matched)" }
        Console.say(text)
    }
}

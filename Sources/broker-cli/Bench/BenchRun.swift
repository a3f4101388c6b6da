import Dispatch
import FanfareClient

/// One measurement: publishers that publish, subscribers that note when it comes.
///
/// A document holds the time at which it was to be published. With a rate that is the time of the plan, not the one at
/// which its turn came: what waits because the broker, or this program, is slow counts ("coordinated omission").
struct BenchRun: Sendable {
    struct Plan: Sendable {
        var channel: String
        var publisherCount: Int
        var subscriberCount: Int
        var size: Int
        /// Documents of all publishers; so many at least must fit into the time.
        var count: Int
        /// Documents of all publishers in a second; nil for as many as go.
        var rate: Double?
        /// Begin no document behind that; in seconds.
        var duration: Double?
        var window: Int
    }
    struct Outcome: Sendable {
        var publishedCount = 0
        var deliveredCount = 0
        var publishSeconds = 0.0
        var deliverySeconds = 0.0
        var acknowledged = Histogram()
        var delivered = Histogram()
        /// What subscribers did not get.
        var missingCount = 0
    }
    /// Subscribers to whom nothing comes for so long have all they get.
    private static let silence = Duration.seconds(5)
    /// The digits of the time in a document, behind its quotation mark.
    static let digitCount = 20

    let plan: Plan
    let configuration: ClientConfiguration
    /// What was published and delivered so far, for who watches.
    let published = Counter()
    let delivered = Counter()

    func run() async throws -> Outcome {
        var subscribers: [(client: BayeuxClient, reader: Task<Reception, any Error>)] = []
        for _ in 0..<plan.subscriberCount { subscribers.append(try await subscribe()) }
        var publishers: [BayeuxClient] = []
        for _ in 0..<plan.publisherCount {
            let client = try BayeuxClient(configuration)
            try await client.connect()
            publishers.append(client)
        }
        var outcome = Outcome()
        let start = Self.now()
        try await withThrowingTaskGroup(of: (Int, Histogram).self) { group in
            for (number, client) in publishers.enumerated() {
                group.addTask { try await publish(client, number: number, start: start) }
            }
            for try await (count, times) in group {
                outcome.publishedCount += count
                outcome.acknowledged.add(times)
            }
        }
        outcome.publishSeconds = Double(Self.now() - start) / 1e9
        let wanted = outcome.publishedCount * plan.subscriberCount
        try await waitForDeliveries(wanted)
        var end = start
        for (client, reader) in subscribers {
            await client.close()
            let reception = try await reader.value
            outcome.delivered.add(reception.times)
            end = max(end, reception.last)
        }
        for client in publishers { await client.close() }
        outcome.deliverySeconds = Double(end - start) / 1e9
        outcome.deliveredCount = Int(outcome.delivered.count)
        outcome.missingCount = wanted - outcome.deliveredCount
        return outcome
    }

    static func now() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

    /// Returns when so many messages have come, or none for a while.
    private func waitForDeliveries(_ wanted: Int) async throws {
        var (last, since) = (delivered.current, ContinuousClock.now)
        while delivered.current < wanted, ContinuousClock.now - since < Self.silence {
            try await Task.sleep(for: .milliseconds(2))
            if delivered.current != last { (last, since) = (delivered.current, .now) }
        }
    }

    private struct Reception {
        var times = Histogram()
        var last: UInt64 = 0
    }

    /// A subscriber, when it is subscribed: it reads until it is closed.
    private func subscribe() async throws -> (client: BayeuxClient, reader: Task<Reception, any Error>) {
        let client = try BayeuxClient(configuration)
        try await client.connect()
        let messages = try await client.subscribe(to: plan.channel)
        let delivered = delivered
        let reader = Task {
            var reception = Reception()
            while let batch = try await messages.nextBatch() {
                reception.last = Self.now()
                for message in batch {
                    guard let sent = Self.time(in: message.data) else { continue }
                    reception.times.record(reception.last - min(sent, reception.last))
                }
                delivered.add(batch.count)
            }
            return reception
        }
        return (client, reader)
    }

    /// Publishes one publisher's part; how many, and the times until they were acknowledged.
    private func publish(_ client: BayeuxClient, number: Int, start: UInt64) async throws -> (Int, Histogram) {
        let share = plan.count / plan.publisherCount + (number < plan.count % plan.publisherCount ? 1 : 0)
        let end = plan.duration.map { start + UInt64($0 * 1e9) } ?? .max
        let (tickets, continuation) = AsyncStream.makeStream(of: (PublicationTicket, [UInt64]).self)
        let published = published
        async let times = {
            var times = Histogram()
            for await (ticket, intended) in tickets {
                for outcome in try await ticket.outcomes() { _ = try outcome.get() }
                let now = Self.now()
                for time in intended { times.record(now - min(time, now)) }
                published.add(intended.count)
            }
            return times
        }()
        defer { continuation.finish() }
        var count = 0
        if let rate = plan.rate {
            // Each publisher has its own beats of the common plan.
            let interval = 1e9 * Double(plan.publisherCount) / rate
            let first = Double(start) + interval * Double(number) / Double(plan.publisherCount)
            while count < share {
                let next = UInt64(first + interval * Double(count))
                guard next < end else { break }
                let now = Self.now()
                if next > now { try await Task.sleep(for: .nanoseconds(Int64(next - now)), tolerance: .zero) }
                let due = min(Int((Double(max(Self.now(), next)) - first) / interval) + 1, share)
                let intended = (count..<max(due, count + 1)).map { UInt64(first + interval * Double($0)) }
                    .filter { $0 < end }
                continuation.yield((client.enqueue(intended.map(document)), intended))
                count += intended.count
            }
        } else {
            let batch = max(plan.window / 2, 1)
            var open: [PublicationTicket] = []
            while count < share, Self.now() < end {
                if open.count >= 2 { _ = try await open.removeFirst().outcomes() }
                let now = Self.now()
                let intended = [UInt64](repeating: now, count: min(batch, share - count))
                let ticket = client.enqueue(intended.map(document))
                open.append(ticket)
                continuation.yield((ticket, intended))
                count += intended.count
            }
        }
        continuation.finish()
        return (count, try await times)
    }

    /// A JSON string that begins with the time.
    private func document(_ time: UInt64) -> Publication {
        var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: plan.size)
        (bytes[0], bytes[plan.size - 1]) = (UInt8(ascii: "\""), UInt8(ascii: "\""))
        var rest = time
        for index in (1...Self.digitCount).reversed() {
            bytes[index] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
        return Publication(bytes, to: plan.channel)
    }

    private static func time(in data: ArraySlice<UInt8>) -> UInt64? {
        guard data.count >= digitCount + 2 else { return nil }
        var time: UInt64 = 0
        for byte in data[(data.startIndex + 1)...(data.startIndex + digitCount)] {
            guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte else { return nil }
            time = time &* 10 &+ UInt64(byte - UInt8(ascii: "0"))
        }
        return time
    }
}

import BrokerCore
import BrokerStore
import Dispatch
import Synchronization
import Testing

/// What the store in memory does where it is asked, and what it does elsewhere.
@Suite("The store in memory")
struct MemoryStoreTests {
    /// Whether this runs within `submit`, and not on the thread that reads.
    @TaskLocal private static var isSubmitting = false

    /// Outcomes in the order in which they were handed over.
    private final class Outcomes: Sendable {
        private let outcomes = Mutex<[StoreOutcome]>([])

        var all: [StoreOutcome] { outcomes.withLock { $0 } }

        func append(_ more: [StoreOutcome]) { outcomes.withLock { $0 += more } }
    }

    @Test("What is named and short is read where it is asked for, beside whatever else: no copy is made for it")
    func shortReads() throws {
        let channel = try ChannelName("/a", grammar: .cometd, maximumBytes: 100)
        let unknown = try ChannelName("/b", grammar: .cometd, maximumBytes: 100)
        let draft = PublicationDraft(
            channel: channel, data: [0x31], retention: .replace, history: .init(count: 5_000, until: .max),
            publishedAt: 0, expiresAt: nil)
        func request(_ channel: ChannelName, _ replay: ReplayPoint?) -> BacklogRequest {
            let item = SubscriptionItem(ChannelPattern(channel), replay: replay)
            return BacklogRequest(items: [item], through: .max, limit: 9_000, wall: 0)
        }
        let store = MemoryStore(epoch: "log", worker: .thread())
        let within = Outcomes()
        _ = try store.open { outcomes in
            if Self.isSubmitting { within.append(outcomes) }
        }
        store.submit(Array(repeating: .publish(1, draft), count: 5_000))
        Self.$isSubmitting.withValue(true) {
            store.submit([
                .readBacklog(2, request(channel, nil)), .readBacklog(3, request(channel, .after(4_500))),
                .readBacklog(4, request(unknown, .everything)),
                .readHistory(5, channel, after: 2_000, limit: 900, wall: 0),
                .readHistory(6, unknown, after: 0, limit: 9_000, wall: 0),
            ])
        }
        #expect(within.all.map(\.ticket) == [2, 3, 4, 5, 6])
        store.close()
    }

    /// All of these reads take minutes.
    @Test("What waits to be read when the store closes fails, and nobody waits for it")
    func closed() throws {
        let store = MemoryStore(epoch: "log", worker: .thread())
        let outcomes = Outcomes()
        _ = try store.open { outcomes.append($0) }
        for number in 1...2_000 {
            let channel = try ChannelName("/a/\(number)", grammar: .cometd, maximumBytes: 100)
            let draft = PublicationDraft(
                channel: channel, data: [0x31], retention: .replace, publishedAt: 0, expiresAt: nil)
            store.submit([.publish(1, draft)])
        }
        let item = SubscriptionItem(try ChannelPattern("/**", grammar: .cometd, maximumBytes: 100))
        let request = BacklogRequest(items: [item], through: .max, limit: 9, wall: 0)
        store.submit(Array(repeating: .readBacklog(2, request), count: 100_000))
        store.close()
        let ends = outcomes.all.filter { $0.ticket == 2 }
        #expect(ends.count == 100_000)
        #expect(ends.last == .failed(2, StoreError(.unavailable, what: "memory", reason: "the store is closed")))
    }

    @Test("What goes through all that is kept holds up neither who asks for it nor what is published")
    func longReads() throws {
        let channel = try ChannelName("/a", grammar: .cometd, maximumBytes: 100)
        let draft = PublicationDraft(
            channel: channel, data: [0x31], retention: .replace, publishedAt: 0, expiresAt: nil)
        // Not to the same channel, where it would take the place of what is to be read.
        let another = PublicationDraft(
            channel: try ChannelName("/b", grammar: .cometd, maximumBytes: 100), data: [0x31], retention: .replace,
            publishedAt: 0, expiresAt: nil)
        let item = SubscriptionItem(try ChannelPattern("/**", grammar: .cometd, maximumBytes: 100))
        let store = MemoryStore(epoch: "log", worker: .thread())
        let hasReturned = DispatchSemaphore(value: 0)
        let isRight = DispatchSemaphore(value: 0)
        _ = try store.open { outcomes in
            for case .backlog(_, let backlog) in outcomes where backlog.entries.count == 1 {
                // An outcome that came from within `submit` would wait for its return in vain.
                if hasReturned.wait(timeout: .now() + 60) == .success { isRight.signal() }
            }
        }
        store.submit([.publish(1, draft)])
        store.submit([.readBacklog(2, BacklogRequest(items: [item], through: 1, limit: 9, wall: 0))])
        store.submit([.publish(3, another)])
        hasReturned.signal()
        #expect(isRight.wait(timeout: .now() + 60) == .success)
        store.close()
    }
}

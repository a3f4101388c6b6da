import BrokerCore
import Testing

@testable import BrokerStore

/// How much stores keep, and what happens beyond that.
@Suite("Limits of stores")
struct StoreLimitsTests {
    private static let bytes = 400_000

    private static func open(
        _ kind: StoreKind, in folder: TemporaryFolder, clock: TestClock = TestClock()
    ) throws -> OpenedStore {
        var limits = StoreLimits()
        limits.memoryBytes = bytes
        limits.databaseBytes = bytes
        switch kind {
        case .memory: return try OpenedStore(MemoryStore(epoch: "e1", limits: limits))
        case .sqlite:
            var options = StoreOptions(wall: { clock.now }) { "e1" }
            options.limits = limits
            return try OpenedStore(SQLiteStore(path: folder.file("fanfare.db"), options: options))
        }
    }

    /// A publication of a kilobyte.
    private static func draft(
        _ channel: String, retention: PublicationDraft.Retention? = .replace, history: Int? = nil,
        durability: Durability = .normal, at wall: Int64 = 0, expiresAt: Int64? = nil
    ) throws -> PublicationDraft {
        PublicationDraft(
            channel: try name(channel), data: [UInt8](repeating: UInt8(ascii: "1"), count: 1_000), retention: retention,
            history: history.map { .init(count: $0, until: expiresAt ?? .max) }, durability: durability, origin: nil,
            publishedAt: wall, expiresAt: expiresAt)
    }

    /// Publishes to ever new channels; how many were kept before the first was refused, with what.
    private static func fill(
        _ opened: OpenedStore, _ make: (Int) throws -> PublicationDraft
    ) throws -> (count: Int, refusal: StoreError) {
        for number in 0..<2_000 {
            if case .failed(_, let error) = try opened.submit([.publish(1, make(number))])[0] { return (number, error) }
        }
        throw NeverFull()
    }

    @Test("What would be kept beyond the limit is refused, what is not kept goes on", arguments: StoreKind.allCases)
    func refusal(kind: StoreKind) throws {
        let folder = try TemporaryFolder()
        let opened = try Self.open(kind, in: folder)
        defer { opened.store.close() }
        let (count, refusal) = try Self.fill(opened) { try Self.draft("/a/\($0)") }
        #expect((100...400).contains(count))
        #expect(refusal.kind == .full)
        #expect(refusal.reason == "as much is kept as may be")
        let last = UInt64(count)
        #expect(
            opened.submit([
                .publish(1, try Self.draft("/h", retention: nil, history: 10)),
                .publish(2, try Self.draft("/b", retention: nil)),
            ]) == [.failed(1, refusal), .published(2, sequence: last + 1)])
        // Sessions are stored all the same.
        let session = StoredState.Session(
            clientID: "s", subscriptions: [:], cursor: 0, acknowledges: false, replays: [:])
        let items = [SubscriptionItem(try patterns("/b")[0], replay: nil)]
        let outcomes = opened.submit([.subscribe(3, session, items, wall: 0)])
        #expect(outcomes == [.subscribed(3, through: last + 1, hasPast: false)])
    }

    @Test("What is cleared makes room", arguments: StoreKind.allCases)
    func room(kind: StoreKind) throws {
        let folder = try TemporaryFolder()
        let clock = TestClock()
        let opened = try Self.open(kind, in: folder, clock: clock)
        defer { opened.store.close() }
        let (count, _) = try Self.fill(opened) { try Self.draft("/a/\($0)") }
        for number in 0..<count { _ = opened.submit([.publish(1, try Self.draft("/a/\(number)", retention: .clear))]) }
        // In a file it is cleaned away behind what is stored, a little each time, once it is old enough.
        clock.now = 1_000_000_000
        var kept = 0
        for number in 0..<10_000 where kept < count / 2 {
            let outcome = opened.submit([.publish(1, try Self.draft("/b/\(number)", at: clock.now))])[0]
            if case .published = outcome { kept += 1 }
        }
        #expect(kept == count / 2)
    }

    @Test("In memory, a retained message takes the place of the one before, and what is too old makes room")
    func memory() throws {
        let folder = try TemporaryFolder()
        let opened = try Self.open(.sqlite, in: folder)
        defer { opened.store.close() }
        let (count, _) = try Self.fill(opened) {
            try Self.draft("/a/\($0)", history: 5, durability: .memory, expiresAt: 500)
        }
        let next = UInt64(count) + 1
        #expect(
            opened.submit([.publish(1, try Self.draft("/b", durability: .memory, at: 5_000))])
                == [.published(1, sequence: next)])
        _ = try Self.fill(opened) { try Self.draft("/c/\($0)", durability: .memory, at: 5_000) }
        let outcomes = opened.submit([.publish(1, try Self.draft("/b", durability: .memory, at: 5_000))])
        guard case .published(1, _)? = outcomes.first else { throw NeverFull() }
    }

    private struct NeverFull: Error {}
}

import BrokerCore
import GRDB
import Testing

@testable import BrokerStore

/// A channel with publications that are written and some that are in memory only, in one batch or after a reload.
@Suite("Changed durability")
struct ChangedDurabilityTests {
    private static func draft(
        _ data: String, _ durability: Durability, retention: PublicationDraft.Retention? = nil, history: Int? = nil
    ) throws -> PublicationDraft {
        PublicationDraft(
            channel: try name("/a"), data: Array(data.utf8), retention: retention,
            history: history.map { .init(count: $0, until: .max) }, durability: durability, publishedAt: 0,
            expiresAt: nil)
    }

    private static func history(of opened: OpenedStore, after: UInt64 = 0, limit: Int = 100) throws -> [UInt64]? {
        let outcome = opened.run([.readHistory(1, try name("/a"), after: after, limit: limit, wall: 0)]).first
        guard case .backlog(1, let backlog)? = outcome else { return nil }
        return backlog.publications.map(\.sequence)
    }

    @Test("Who subscribes in the same batch gets what is retained", arguments: ["/a", "/*"], Durability.allCases)
    func oneBatch(pattern: String, durability: Durability) throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(.sqlite, in: folder)
        defer { opened.store.close() }
        let items = try patterns(pattern).map { SubscriptionItem($0) }
        let others = try patterns("/b", "/b/*").map { SubscriptionItem($0) }
        let new = [SubscriptionItem(items[0].pattern, replay: .newOnly)]
        #expect(
            opened.submit([
                .publish(1, try Self.draft("1", durability, retention: .replace)),
                .subscribe(2, nil, items, wall: 0), .subscribe(3, nil, others, wall: 0),
                .subscribe(4, nil, new, wall: 0),
            ]) == [
                .published(1, sequence: 1), .subscribed(2, through: 1, hasPast: true),
                .subscribed(3, through: 1, hasPast: false), .subscribed(4, through: 1, hasPast: false),
            ])
        #expect(opened.backlog(of: items, through: 1)?.publications == [try stored(1, "/a", "1")])
    }

    @Test("A retained message that was not written goes when one that is takes its place, or clears it")
    func retained() throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(.sqlite, in: folder)
        defer { opened.store.close() }
        let items = try patterns("/**").map { SubscriptionItem($0) }
        func expectRetained(_ publications: [StoredPublication]) throws {
            #expect(opened.run([.readRetained(1, try name("/a"), wall: 0)]) == [.retained(1, publications)])
            #expect(opened.backlog(of: items)?.publications == publications)
        }
        _ = opened.submit([.publish(1, try Self.draft("1", .memory, retention: .replace))])
        _ = opened.submit([.publish(1, try Self.draft("2", .normal, retention: .replace))])
        try expectRetained([try stored(2, "/a", "2")])
        // In one batch, in either order, the last one counts.
        _ = opened.submit([
            .publish(1, try Self.draft("3", .memory, retention: .replace)),
            .publish(2, try Self.draft("4", .normal, retention: .replace)),
        ])
        try expectRetained([try stored(4, "/a", "4")])
        _ = opened.submit([
            .publish(1, try Self.draft("5", .normal, retention: .replace)),
            .publish(2, try Self.draft("6", .memory, retention: .replace)),
        ])
        try expectRetained([try stored(6, "/a", "6")])
        _ = opened.submit([.publish(1, try Self.draft("null", .normal, retention: .clear))])
        try expectRetained([])
    }

    @Test("A history is read whole, in order, whatever was written of it")
    func history() throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(.sqlite, in: folder)
        defer { opened.store.close() }
        let kinds: [Durability] = [.memory, .normal, .normal, .memory, .memory, .full, .normal]
        for (index, durability) in kinds.enumerated() {
            _ = opened.submit([.publish(1, try Self.draft("\(index)", durability, history: 10))])
        }
        #expect(try Self.history(of: opened) == [1, 2, 3, 4, 5, 6, 7])
        #expect(opened.backlog(of: [.init(try patterns("/a")[0], replay: .everything)])?.entries.count == 7)
        // Page by page, each begins behind the one before.
        for limit in 1...7 {
            for after in 0...7 {
                let page = (after + 1..<max(after + limit, 7) + 1).prefix(limit).filter { $0 <= 7 }.map(UInt64.init)
                #expect(try Self.history(of: opened, after: UInt64(after), limit: limit) == page)
            }
        }
    }

    @Test("A page ends by its bytes where either part of the history goes on")
    func bytes() throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(.sqlite, in: folder)
        defer { opened.store.close() }
        let large = String(repeating: "1", count: HistoryPage.maximumBytes / 2)
        let drafts: [(String, Durability)] = [
            (large, .memory), ("1", .normal), (large, .memory), ("1", .normal), ("1", .memory), (large, .normal),
        ]
        for (data, durability) in drafts {
            _ = opened.submit([.publish(1, try Self.draft(data, durability, history: 10))])
        }
        #expect(try Self.history(of: opened) == [1, 2, 3])
        #expect(try Self.history(of: opened, after: 2) == [3, 4, 5, 6])
    }

    @Test("Nothing is given that lies behind what has been committed and is not in memory yet")
    func overtaking() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let opened = try OpenedStore(path: path)
        for number in 1...3 { _ = opened.submit([.publish(1, try Self.draft("\(number)", .normal, history: 10))]) }
        opened.store.close()
        let (reader, volatile) = (try DatabaseSetup.openReader(path: path), VolatileLog())
        func sequences() throws -> [UInt64]? {
            let operation = StoreOperation.readHistory(1, try name("/a"), after: 0, limit: 10, wall: 0)
            let outcome = try reader.read { try LogReader(database: $0, volatile: volatile).outcome(of: operation) }
            guard case .backlog(1, let backlog) = outcome else { return nil }
            return backlog.publications.map(\.sequence)
        }
        volatile.follow(VolatileChanges(), through: 2)
        #expect(try sequences() == [1, 2])
        var changes = VolatileChanges()
        changes.append(try Self.draft("4", .memory, history: 10), sequence: 4)
        volatile.follow(changes, through: 4)
        // The reader has begun before the fourth: it does not see where the log ends now.
        #expect(try sequences() == [1, 2, 3])
    }
}

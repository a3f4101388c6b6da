import BrokerCore
import GRDB
import Testing

@testable import BrokerStore

/// What is cleaned away beside that which `LogTests` has, and what that costs.
@Suite("The cleaner")
struct CleanerTests {
    private static let window: Int64 = 1000

    private static func open(_ path: String, _ clock: TestClock) throws -> OpenedStore {
        var options = StoreOptions(wall: { clock.now }) { "e1" }
        options.repeatWindow = window
        return try OpenedStore(SQLiteStore(path: path, options: options))
    }

    @Test("Retained messages go when their time is up, those whose time is not stay")
    func expiredRetained() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let clock = TestClock()
        let ends: [Int64?] = [nil, 1500, 2500, nil]
        var opened = try Self.open(path, clock)
        for (index, expiresAt) in ends.enumerated() {
            let publication = PublicationDraft(
                channel: try name("/a/\(index)"), data: [0x31], retention: .replace,
                history: index == 3 ? .init(count: 1, until: 1500) : nil, publishedAt: 0, expiresAt: expiresAt)
            _ = opened.submit([.publish(1, publication)])
        }
        opened.store.close()
        for (wall, left) in [(1499, [0, 1, 2, 3]), (1500, [0, 2, 3]), (2500, [0, 3])] as [(Int64, [Int])] {
            clock.now = wall
            // A pass begins when a store is opened.
            opened = try Self.open(path, clock)
            for _ in 0..<20 { _ = opened.submit([.moveCursors(1, [])]) }
            opened.store.close()
            let report = try OfflineDatabase(path: path).check()
            #expect(report.problems == [])
            #expect(report.retainedCount == left.count)
            #expect(report.publicationCount == left.count)
            opened = try Self.open(path, clock)
            #expect(
                opened.backlog(of: [.init(try patterns("/a/*")[0])], wall: wall)?.publications.map(\.channel.text)
                    == left.map { "/a/\($0)" })
            opened.store.close()
        }
    }

    @Test("What has grown too old for a history is told as lost, before it is deleted and afterwards")
    func agedHistory() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let clock = TestClock()
        var opened = try Self.open(path, clock)
        // The third has expired by itself, the fourth is retained and too old, the fifth and sixth are not.
        let ends: [(until: Int64, expiresAt: Int64?)] = [
            (1500, nil), (1500, 9000), (1500, 1200), (1500, nil), (9000, nil), (9000, nil),
        ]
        for (index, end) in ends.enumerated() {
            let publication = PublicationDraft(
                channel: try name("/a"), data: [0x31], retention: index == 3 ? .replace : nil,
                history: .init(count: 9, until: end.until), publishedAt: 0, expiresAt: end.expiresAt)
            _ = opened.submit([.publish(1, publication)])
        }
        opened.store.close()
        clock.now = 1600
        opened = try Self.open(path, clock)
        let items = [SubscriptionItem(try patterns("/a")[0], replay: .after(0))]
        func lost(_ sequences: ClosedRange<UInt64>) throws -> [Backlog.Loss] {
            [Backlog.Loss(try name("/a"), Gap(sequences: sequences))]
        }
        let before = opened.backlog(of: items, wall: 1600)
        #expect(try before?.losses == lost(1...2))
        #expect(before?.publications.map(\.sequence) == [4, 5, 6])
        for _ in 0..<20 { _ = opened.submit([.moveCursors(1, [])]) }
        let after = opened.backlog(of: items, wall: 1600)
        #expect(after == before)
        #expect(try opened.backlog(of: items, through: 1, wall: 1600)?.losses == lost(1...1))
        let history = opened.submit([.readHistory(1, try name("/a"), after: 1, limit: 9, wall: 1600)]).first
        guard case .backlog(1, let page)? = history else { return #expect(Bool(false)) }
        #expect(page.publications.map(\.sequence) == [5, 6])
        #expect(try page.losses == lost(2...2))
        opened.store.close()
        let report = try OfflineDatabase(path: path).check()
        #expect(report.problems == [])
        #expect(report.publicationCount == 3)
    }

    @Test("Whatever refers to a row that is deleted is found without a look at all that could")
    func references() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        try OpenedStore(path: path).store.close()
        let connection = try DatabaseSetup.openWriter(path: path, lock: DatabaseLock(path: path))
        defer { try? connection.close() }
        try connection.read { database in
            let references = try Row.fetchAll(
                database,
                sql: """
                    SELECT child.name, "table" FROM pragma_table_list AS child, pragma_foreign_key_list(child.name)
                    WHERE child.schema = 'main'
                    """)
            let children = Set(references.map { $0[0] as String })
            #expect(children == ["retained", "subscription"])
            for row in references {
                let (child, parent): (String, String) = (row[0], row[1])
                let plan = try Row.fetchAll(database, sql: "EXPLAIN QUERY PLAN DELETE FROM \(parent) WHERE rowid = 1")
                let steps = plan.map { $0["detail"] as String }.filter { $0.contains(child) }
                #expect(steps.count == 1)
                #expect(steps.first?.hasPrefix("SEARCH \(child) ") == true, "\(steps)")
            }
        }
    }
}

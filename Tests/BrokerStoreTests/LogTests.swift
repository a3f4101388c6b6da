import BrokerCore
import Foundation
import GRDB
import Migrations
import Support
import Testing

@testable import BrokerStore

/// What only the store in a file does: its log, who reads and writes it, what is cleaned away.
@Suite("The log in a file")
struct LogTests {
    private static func draft(
        _ channel: String, _ data: String, count: Int? = 1000, durability: Durability = .normal,
        retention: PublicationDraft.Retention? = nil, origin: PublicationOrigin? = nil, publishedAt: Int64 = 0,
        until: Int64 = .max
    ) throws -> PublicationDraft {
        PublicationDraft(
            channel: try name(channel), data: Array(data.utf8), retention: retention,
            history: count.map { .init(count: $0, until: until) }, durability: durability, origin: origin,
            publishedAt: publishedAt, expiresAt: nil)
    }

    private static func read<Value>(_ path: String, _ body: (Database) throws -> Value) throws -> Value {
        var configuration = Configuration()
        configuration.readonly = true
        return try DatabaseQueue(path: path, configuration: configuration).read(body)
    }

    private static func size(of file: String) throws -> Int {
        try #require(FileManager.default.attributesOfItem(atPath: file)[.size] as? Int)
    }

    private static func everything(_ pattern: String) throws -> [SubscriptionItem] {
        [SubscriptionItem(try patterns(pattern)[0], replay: .everything)]
    }

    @Test("Memory: read like what is written, gone with the process, and its numbers are not given twice")
    func memory() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let first = try OpenedStore(path: path)
        #expect(
            first.submit([
                .publish(1, try Self.draft("/m", "1", durability: .memory, retention: .replace)),
                .publish(2, try Self.draft("/n", "2")),
                .publish(3, try Self.draft("/m", "3", durability: .memory)),
            ]) == [.published(1, sequence: 1), .published(2, sequence: 2), .published(3, sequence: 3)])
        #expect(first.backlog(of: try Self.everything("/**"))?.publications.map(\.sequence) == [1, 2, 3])
        #expect(
            first.run([.readHistory(1, try name("/m"), after: 1, limit: 9, wall: 0)])
                == [.backlog(1, Backlog(entries: [.init(try stored(3, "/m", "3"), isRetained: false)]))])
        #expect(first.run([.readRetained(1, try name("/m"), wall: 0)]) == [.retained(1, [try stored(1, "/m", "1")])])
        first.store.close()
        let second = try OpenedStore(path: path)
        defer { second.store.close() }
        #expect(second.state.lastSequence == 3)
        #expect(second.backlog(of: try Self.everything("/**"))?.publications.map(\.sequence) == [2])
    }

    @Test("A retained message that was written does not come back behind one that was not")
    func changedPolicy() throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(path: folder.file("fanfare.db"))
        defer { opened.store.close() }
        _ = opened.run([
            .publish(1, try Self.draft("/a", "1", retention: .replace)),
            .publish(2, try Self.draft("/a", "2", durability: .memory, retention: .replace)),
        ])
        #expect(opened.run([.readRetained(1, try name("/a"), wall: 0)]) == [.retained(1, [try stored(2, "/a", "2")])])
        _ = opened.run([.publish(1, try Self.draft("/a", "null", durability: .memory, retention: .clear))])
        #expect(opened.run([.readRetained(1, try name("/a"), wall: 0)]) == [.retained(1, [])])
    }

    @Test("Cursors, the acknowledgement extension and recent publications outlive the process")
    func reopening() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let first = try OpenedStore(path: path)
        let item = SubscriptionItem(try patterns("/a")[0])
        let origins: [PublicationOrigin?] = [
            .session(clientID: "s", fingerprint: .max), nil, .request(key: "k", receipt: "r"),
            .request(key: "k", subject: "s", fingerprint: .max, receipt: "q"),
        ]
        for (index, origin) in origins.enumerated() {
            _ = first.run([.publish(1, try Self.draft("/a", "\(index)", origin: origin, publishedAt: 7))])
        }
        _ = first.submit([
            .subscribe(1, .init(clientID: "s", cursor: 1, acknowledges: true), [item], wall: 0),
            .subscribe(2, .init(clientID: "t", cursor: 2), [], wall: 0),
            .moveCursors(3, [.init("t", cursor: 3), .init("nobody", cursor: 9)]),
        ])
        first.store.close()
        let second = try OpenedStore(path: path)
        defer { second.store.close() }
        #expect(
            second.state.sessions == [
                .init(clientID: "s", subscriptions: [item.pattern: 4], cursor: 1, acknowledges: true),
                .init(clientID: "t", cursor: 3),
            ])
        let channel = try name("/a")
        #expect(
            second.state.recent == [
                .init(
                    origin: .session(clientID: "s", fingerprint: .max), channel: channel, sequence: 1, publishedAt: 7),
                .init(origin: .request(key: "k", receipt: "r"), channel: channel, sequence: 3, publishedAt: 7),
                .init(
                    origin: .request(key: "k", subject: "s", fingerprint: .max, receipt: "q"), channel: channel,
                    sequence: 4, publishedAt: 7),
            ])
    }

    @Test("What is wanting of a replay outlives the process, until it has arrived")
    func replays() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let (a, b, c) = (try patterns("/a")[0], try patterns("/b")[0], try patterns("/c")[0])
        func run(_ operations: [StoreOperation]) throws -> [ChannelPattern: PendingReplay]? {
            let opened = try OpenedStore(path: path)
            let replays = opened.state.sessions.first?.replays
            _ = opened.submit(operations)
            opened.store.close()
            return replays
        }
        var session = StoredState.Session(clientID: "s")
        session.part = 1
        let items = [SubscriptionItem(a, replay: .after(1)), .init(b, replay: .newOnly), .init(c)]
        let publications: [StoreOperation] = try (1...3).map {
            .publish(StoreTicket($0), try Self.draft("/a", "\($0)", publishedAt: 7))
        }
        #expect(try run(publications + [.subscribe(4, session, items, wall: 0)]) == nil)
        var pending = PendingReplay(point: .after(1), through: 3, part: 1)
        let steps: [SessionProgress.Replayed] = [.init(a, after: 1, through: 2), .init(c, after: 0, through: 3)]
        #expect(
            try run([.moveCursors(1, [.init("s", cursor: 3, replayed: steps)])])
                == [a: pending, c: PendingReplay(point: nil, through: 3, part: 1)])
        pending.position = 2
        // One that asks for more begins anew; what arrives of the first is no longer its beginning.
        session.part = 2
        let again: [SessionProgress.Replayed] = [.init(a, after: 1, through: 3)]
        #expect(
            try run([
                .subscribe(1, session, [.init(a, replay: .everything)], wall: 0),
                .moveCursors(2, [.init("s", cursor: 3, replayed: again)]),
            ]) == [a: pending])
        #expect(
            try run([.unsubscribe(1, clientID: "s", patterns: [a])])
                == [a: PendingReplay(point: .everything, through: 3, part: 2)])
        #expect(try run([.pass(1)]) == [:])
    }

    @Test("What has arrived of what is retained says nothing of a history that was asked for since")
    func lateProgress() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let (a, b) = (try patterns("/a")[0], try patterns("/b")[0])
        var (first, second) = (StoredState.Session(clientID: "s"), StoredState.Session(clientID: "s"))
        (first.part, second.part) = (1, 2)
        let late = SessionProgress.Replayed(b, after: 0, through: 1, retainedPart: 1)
        let before = try OpenedStore(path: path)
        _ = before.submit([
            .publish(1, try Self.draft("/b", "1", publishedAt: 7)),
            .subscribe(2, first, [.init(a, replay: .everything), .init(b)], wall: 0),
            .subscribe(3, second, [.init(b, replay: .everything)], wall: 0),
            .moveCursors(4, [.init("s", cursor: 1, replayed: [late])]),
        ])
        before.store.close()
        let after = try OpenedStore(path: path)
        #expect(after.state.sessions.first?.replays[b] == PendingReplay(point: .everything, through: 1, part: 2))
        after.store.close()
    }

    @Test(
        "Replays that have become one have one number for the next process; one that was asked for since keeps its own")
    func joinedReplays() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let (a, b, c) = (try patterns("/a")[0], try patterns("/b")[0], try patterns("/c")[0])
        let before = try OpenedStore(path: path)
        func subscription(_ ticket: StoreTicket, to pattern: ChannelPattern, part: Int64) -> StoreOperation {
            var session = StoredState.Session(clientID: "s")
            session.part = part
            return .subscribe(ticket, session, [.init(pattern, replay: .everything)], wall: 0)
        }
        var note = StoredState.Session(clientID: "s")
        note.replays = [b: PendingReplay(point: .everything, through: 1, part: 1)]
        _ = before.submit([
            .publish(1, try Self.draft("/a", "1", publishedAt: 7)), subscription(2, to: a, part: 1),
            subscription(3, to: b, part: 2), .subscribe(4, note, [], wall: 0), subscription(5, to: c, part: 3),
        ])
        before.store.close()
        let after = try OpenedStore(path: path)
        let replays = after.state.sessions.first?.replays
        #expect(replays?.mapValues(\.part) == [a: 1, b: 1, c: 3])
        #expect(replays?[b] == note.replays[b])
        after.store.close()
    }

    @Test("Publications that nothing needs are deleted, once they cannot be repeated any more; the others stay")
    func cleaning() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let clock = TestClock()
        var options = StoreOptions(wall: { clock.now }) { "e1" }
        options.repeatWindow = 1000
        var opened = try OpenedStore(SQLiteStore(path: path, options: options))
        for number in 1...400 {
            _ = opened.submit([
                .publish(1, try Self.draft("/h", "\(number)", count: 10)),
                .publish(2, try Self.draft("/r", "\(number)", count: nil, retention: .replace)),
                .publish(3, try Self.draft("/old", "\(number)", until: 500)),
                .publish(4, try Self.draft("/key", "0", count: nil, origin: .request(key: "k", receipt: "r"))),
            ])
        }
        opened.store.close()
        #expect(try Self.read(path) { try Int.fetchOne($0, sql: "SELECT count(*) FROM publication") } == 1600)
        clock.now = 1001
        opened = try OpenedStore(SQLiteStore(path: path, options: options))
        // What is submitted next comes behind a step of the cleaner at least each eighth time.
        for _ in 0..<100 { _ = opened.submit([.moveCursors(1, [])]) }
        // The last ten of /h, every fourth from the first on, and the last one of /r.
        let kept = (391...400).map { UInt64($0) * 4 - 3 } + [1598]
        let found = opened.backlog(of: try Self.everything("/**"), wall: 1001)?.publications.map(\.sequence)
        #expect(found == kept)
        // Those that were too old count no more: the history does not lose others for them.
        _ = opened.submit([.publish(1, try Self.draft("/old", "new", count: 2, publishedAt: 1001))])
        #expect(opened.backlog(of: try Self.everything("/old"), wall: 1001)?.publications.count == 1)
        opened.store.close()
        #expect(try Self.read(path) { try Int.fetchOne($0, sql: "SELECT count(*) FROM publication") } == 12)
        #expect(try OfflineDatabase(path: path).check().problems == [])
    }

    @Test("The space of what was deleted is given back, in small steps")
    func space() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let clock = TestClock()
        var options = StoreOptions(wall: { clock.now }) { "e1" }
        options.repeatWindow = 1000
        var opened = try OpenedStore(SQLiteStore(path: path, options: options))
        let data = "\"" + String(repeating: "x", count: 8000) + "\""
        for _ in 0..<3000 { _ = opened.submit([.publish(1, try Self.draft("/a", data, until: 500))]) }
        opened.store.close()
        let full = try Self.size(of: path)
        #expect(full > 3000 * 8000)
        clock.now = 1001
        opened = try OpenedStore(SQLiteStore(path: path, options: options))
        for _ in 0..<2000 { _ = opened.submit([.moveCursors(1, [])]) }
        opened.store.close()
        // Some pages are kept for what comes next.
        #expect(try Self.size(of: path) < full / 4)
    }

    @Test("A reader in the middle of a long read does not hold up who writes")
    func longRead() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let opened = try OpenedStore(path: path)
        defer { opened.store.close() }
        _ = opened.submit([.publish(1, try Self.draft("/a", "1"))])
        try Self.read(path) { (database: Database) throws -> Void in
            #expect(try Int.fetchOne(database, sql: "SELECT count(*) FROM publication") == 1)
            for number in 2...50 {
                #expect(
                    opened.submit([.publish(1, try Self.draft("/a", "\(number)", durability: .full))])
                        == [.published(1, sequence: UInt64(number))])
            }
            #expect(try Int.fetchOne(database, sql: "SELECT count(*) FROM publication") == 1)
        }
    }

    @Test("Only one connection can write or checkpoint")
    func oneWriter() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let opened = try OpenedStore(path: path)
        defer { opened.store.close() }
        _ = opened.submit([.publish(1, try Self.draft("/a", "1"))])
        let reader = try DatabaseSetup.openReader(path: path)
        reader.inDatabase { database in
            #expect(throws: DatabaseError.self) { try database.execute(sql: "DELETE FROM publication") }
            #expect(throws: DatabaseError.self) { try database.checkpoint(.passive) }
        }
        let settings = try reader.inDatabase { database in
            try ["query_only", "wal_autocheckpoint"].map { try Int.fetchOne(database, sql: "PRAGMA \($0)") }
        }
        #expect(settings == [1, 0])
        // A last one to close would checkpoint, if it could; the log is still there.
        try reader.close()
        #expect(try Self.size(of: path + "-wal") > 0)
    }

    @Test("SQLite's log does not grow without bound")
    func checkpoints() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        var options = StoreOptions(wall: { 0 }) { "e1" }
        options.checkpointPages = 50
        let opened = try OpenedStore(SQLiteStore(path: path, options: options))
        defer { opened.store.close() }
        let data = "\"" + String(repeating: "x", count: 3000) + "\""
        for _ in 0..<500 { _ = opened.submit([.publish(1, try Self.draft("/a", data))]) }
        #expect(try Self.size(of: path + "-wal") < 100 * 4120)
    }

    @Test("A backup has all of one moment, is a log of its own, and can be taken while the broker writes")
    func backup() throws {
        let folder = try TemporaryFolder()
        let (path, copy) = (folder.file("fanfare.db"), folder.file("copy.db"))
        let store = SQLiteStore(path: path, options: StoreOptions(wall: { 0 }) { "e1" })
        let opened = try OpenedStore(store)
        for number in 1...100 { _ = opened.submit([.publish(1, try Self.draft("/a", "\(number)"))]) }
        for number in 101...200 { store.submit([.publish(1, try Self.draft("/a", "\(number)"))]) }
        try store.backUp(to: copy)
        #expect(throws: StoreError.self) { try store.backUp(to: copy) }
        _ = opened.next(100)
        store.close()
        #expect(try FileManager.default.attributesOfItem(atPath: copy)[.posixPermissions] as? Int == 0o600)
        let report = try OfflineDatabase(path: copy).check()
        #expect(report.problems == [])
        #expect(100...200 ~= report.publicationCount)
        #expect(report.lastSequence == UInt64(report.publicationCount))
        #expect(report.epoch != "e1")
    }

    @Test("A database file that is taken away is noticed, and nothing is acknowledged that would be gone")
    func removedFile() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let opened = try OpenedStore(path: path)
        defer { opened.store.close() }
        _ = opened.submit([.publish(1, try Self.draft("/a", "1"))])
        try FileManager.default.moveItem(atPath: path, toPath: path + ".away")
        guard case .failed(1, let error)? = opened.submit([.publish(1, try Self.draft("/a", "2"))]).first else {
            return #expect(Bool(false))
        }
        #expect(error.kind == .removed)
        // What is not stored goes on.
        #expect(opened.submit([.pass(2)]) == [.done(2)])
        try FileManager.default.moveItem(atPath: path + ".away", toPath: path)
        #expect(opened.submit([.publish(1, try Self.draft("/a", "3"))]) == [.published(1, sequence: 2)])
    }

    @Test(
        "A database of every earlier version is brought up to date, with a copy of it kept", arguments: [1, 2, 3, 4, 5])
    func migration(version: Int) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction { database in
            for migration in Migration.all.prefix(version) { try database.execute(sql: migration.sql) }
            try database.execute(sql: "PRAGMA user_version = \(version)")
            try database.execute(
                sql: """
                    INSERT INTO log VALUES (1, 'old', 9);
                    INSERT INTO publication (sequence, channel, data, published_at) VALUES (7, '/a/b', x'31', 0);
                    INSERT INTO retained VALUES ('/a/b', '/a/', 7);
                    INSERT INTO session (id, client_id, created_at) VALUES (1, 's', 0);
                    INSERT INTO subscription (session_id, pattern) VALUES (1, '/a/*');
                    """)
            if version == 2 {
                try database.execute(
                    sql: """
                        INSERT INTO publication (sequence, channel, data, published_at, history_until)
                        VALUES (8, '/h/c', x'32', 0, 99), (9, '/h/c', x'33', 0, 99);
                        INSERT INTO trimmed VALUES ('/h/c', 5);
                        """)
            }
        }
        try queue.close()
        #expect(try OfflineDatabase(path: path).missingMigrations().count == Migration.all.count - version)
        let opened = try OpenedStore(path: path)
        #expect(opened.state.epoch == "old")
        let session = StoredState.Session(
            clientID: "s", subscriptions: [try patterns("/a/*")[0]: 0], cursor: version < 3 ? 9 : 0)
        #expect(opened.state.sessions == [session])
        #expect(opened.backlog(of: [.init(try patterns("/a/*")[0])])?.publications == [try stored(7, "/a/b", "1")])
        if version == 2 {
            let item = SubscriptionItem(try patterns("/h/*")[0], replay: .after(1))
            #expect(
                opened.backlog(of: [item])
                    == Backlog(
                        entries: [
                            .init(try stored(8, "/h/c", "2"), isRetained: false),
                            .init(try stored(9, "/h/c", "3"), isRetained: false),
                        ], losses: [.init(try name("/h/c"), Gap(sequences: 2...5))]))
        }
        opened.store.close()
        #expect(try OfflineDatabase(path: path).missingMigrations() == [])
        #expect(try OfflineDatabase(path: path).check().problems == [])
        let copy = try Self.read(path + ".version-\(version)") { try Int.fetchOne($0, sql: "PRAGMA user_version") }
        #expect(copy == version)
    }
}

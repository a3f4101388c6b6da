import BrokerCore
import BrokerStore
import Foundation
import GRDB
import Testing

/// A path at which no database can be, and what the error says.
private struct PathRow: Sendable {
    let path: String
    let reason: String
}

@Suite("The store in a file")
struct SQLiteStoreTests {
    private func permissions(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    /// How many rows a table has, read while no store has the file.
    private func rowCount(_ table: String, in path: String) throws -> Int? {
        let queue = try DatabaseQueue(path: path)
        return try queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM \(table)") }
    }

    private func error(_ body: () throws -> OpenedStore) -> StoreError? {
        do {
            _ = try body()
            return nil
        } catch {
            return error as? StoreError
        }
    }

    @Test("Epoch, numbers, retained messages, sessions and subscriptions outlive the process")
    func reopening() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let first = try OpenedStore(path: path)
        #expect(first.state == StoredState(epoch: "e1", sessions: []))
        _ = first.run([
            .subscribe(1, clientID: "s", patterns: try patterns("/a", "/b/**"), wall: 0),
            .subscribe(2, clientID: "t", patterns: try patterns("/a.b/*"), wall: 0),
            .subscribe(3, clientID: "u", patterns: try patterns("/x"), wall: 0),
            .publish(4, try draft("/a", "1")),
            .publish(5, try draft("/c", "2", .clear)),
            .unsubscribe(6, clientID: "u", patterns: try patterns("/x")),
            .subscribe(7, clientID: "s", patterns: try patterns("/a", "/d"), wall: 0),
        ])
        first.store.close()

        let second = try OpenedStore(path: path, epoch: "e2")
        defer { second.store.close() }
        #expect(second.state.epoch == "e1")
        #expect(second.state.sessions.map(\.clientID) == ["s", "t", "u"])
        #expect(
            second.state.sessions.map { Set($0.subscriptions.keys.map(\.text)) }
                == [["/a", "/b/**", "/d"], ["/a.b/*"], []])
        #expect(
            second.run([.readRetained(1, try name("/a"), wall: 0), .publish(2, try draft("/c", "3"))])
                == [.retained(1, [try stored(1, "/a", "1")]), .published(2, sequence: 3)])
        #expect(second.state.lastSequence == 2)
    }

    @Test("Operations that were submitted just before the end are in the file")
    func closing() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let first = try OpenedStore(path: path)
        for index in 0..<500 { first.store.submit([.publish(1, try draft("/c/\(index)", "\(index)"))]) }
        first.store.close()
        let second = try OpenedStore(path: path)
        defer { second.store.close() }
        let outcome = second.run([.subscribe(1, clientID: "s", patterns: try patterns("/c/*"), wall: 0)]).first
        guard case .backlog(1, let backlog)? = outcome else {
            Issue.record("\(String(describing: outcome))")
            return
        }
        #expect(backlog.publications.map { String(decoding: $0.data, as: UTF8.self) } == (0..<500).map { "\($0)" })
    }

    @Test("Sessions that ended leave no rows, nor do messages that are not retained any more")
    func rows() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let opened = try OpenedStore(path: path)
        _ = opened.run([
            .publish(1, try draft("/a", "1")), .publish(2, try draft("/a", "2")), .publish(3, try draft("/b", "3")),
            .publish(4, try draft("/b", "null", .clear)), .publish(5, try draft("/c", "null", .clear)),
            .subscribe(6, clientID: "s", patterns: try patterns("/a", "/b"), wall: 0),
            .subscribe(7, clientID: "t", patterns: try patterns("/a"), wall: 0),
            .endSession(8, clientID: "s"),
        ])
        opened.store.close()
        #expect(try rowCount("retained", in: path) == 1)
        #expect(try rowCount("session", in: path) == 1)
        #expect(try rowCount("subscription", in: path) == 1)
    }

    @Test("An operation that fails has no effect, takes no number, and the others go on")
    func atomicity() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        try OpenedStore(path: path).store.close()
        let queue = try DatabaseQueue(path: path)
        try queue.write {
            // The failure comes after the publication was inserted.
            try $0.execute(
                sql: """
                    CREATE TRIGGER refuse BEFORE INSERT ON retained WHEN NEW.channel = '/refused'
                    BEGIN SELECT RAISE(ABORT, 'refused'); END
                    """)
        }
        try queue.close()
        let opened = try OpenedStore(path: path)
        let outcomes = opened.run([
            .publish(1, try draft("/a", "1")), .publish(2, try draft("/refused", "2")),
            .publish(3, try draft("/b", "3")),
        ])
        opened.store.close()
        #expect(outcomes.count == 3)
        #expect(outcomes.first == .published(1, sequence: 1))
        guard case .failed(2, let error)? = outcomes.dropFirst().first else {
            Issue.record("\(outcomes)")
            return
        }
        #expect(error.what == path)
        #expect(error.reason.contains("refused"))
        #expect(outcomes.last == .published(3, sequence: 2))
        #expect(try rowCount("publication", in: path) == 2)
    }

    @Test("File and folders are their owner's only, whatever the umask", arguments: [0o022, 0, 0o077] as [mode_t])
    func access(mask: mode_t) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("state/fanfare/broker.db")
        let before = umask(mask)
        let result = Result { try OpenedStore(path: path) }
        umask(before)
        let opened = try result.get()
        _ = opened.run([.publish(1, try draft("/a", "1"))])
        #expect(try permissions(path) == 0o600)
        #expect(try permissions(path + "-wal") == 0o600)
        #expect(try permissions(folder.file("state/fanfare")) == 0o700)
        #expect(try permissions(folder.file("state")) == 0o700)
        opened.store.close()
    }

    @Test("A second store on the same file is refused, and the first goes on")
    func inUse() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let first = try OpenedStore(path: path)
        let error = error { try OpenedStore(path: path) }
        #expect(error?.what == path)
        #expect(error?.reason == "the database is in use by another broker")
        #expect(error?.remedy != nil)
        #expect(first.run([.publish(1, try draft("/a", "1"))]) == [.published(1, sequence: 1)])
        first.store.close()
        try OpenedStore(path: path).store.close()
    }

    @Test("After an end that was none no number comes again that may have been given; else the next one comes")
    func reservedNumbers() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let first = try OpenedStore(path: path)
        #expect(first.run([.publish(1, try draft("/a", "1"))]) == [.published(1, sequence: 1)])
        // As the disk is when the process is killed, and may be when the power is lost much later.
        let left = folder.file("left.db")
        for suffix in ["", "-wal"] { try FileManager.default.copyItem(atPath: path + suffix, toPath: left + suffix) }
        for number in 2...1_000 { _ = first.run([.publish(StoreTicket(number), try draft("/a", "1"))]) }
        first.store.close()

        // A run that gives none does not change that.
        try OpenedStore(path: left).store.close()
        var last: UInt64 = 1_000
        for next in 0..<3 {
            let again = try OpenedStore(path: left)
            guard case .published(_, let sequence)? = again.run([.publish(1, try draft("/a", "1"))]).first else {
                return #expect(Bool(false))
            }
            if next == 0 { #expect(sequence > last) } else { #expect(sequence == last + 1) }
            last = sequence
            again.store.close()
        }
        let again = try OpenedStore(path: path)
        #expect(again.run([.publish(1, try draft("/a", "1"))]) == [.published(1, sequence: 1_001)])
        again.store.close()
    }

    @Test("A database of a newer broker is refused and stays as it is", arguments: ["DELETE", "WAL"])
    func newerVersion(journal: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction {
            try $0.execute(sql: "PRAGMA journal_mode = \(journal)")
            try $0.execute(sql: "CREATE TABLE future (x); PRAGMA user_version = 99")
        }
        try queue.close()
        let before = try Data(contentsOf: URL(filePath: path))
        let error = error { try OpenedStore(path: path) }
        #expect(error?.reason == "the database has version 99, this broker knows up to 7")
        #expect(error?.remedy != nil)
        #expect(try Data(contentsOf: URL(filePath: path)) == before)
    }

    @Test("A file that is no database is refused and stays as it is", arguments: [5, 100, 5000])
    func notADatabase(byteCount: Int) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("notes.txt")
        let before = Data(repeating: UInt8(ascii: "x"), count: byteCount)
        try before.write(to: URL(filePath: path))
        let error = error { try OpenedStore(path: path) }
        #expect(error?.what == path)
        #expect(error?.reason == "the file is not a database")
        #expect(error?.remedy != nil)
        #expect(try Data(contentsOf: URL(filePath: path)) == before)
    }

    private static let paths = [
        PathRow(path: "taken/fanfare.db", reason: "the file cannot be opened: Not a directory"),
        PathRow(path: "taken/below/fanfare.db", reason: "the folder cannot be made: "),
        PathRow(path: ".", reason: "the file cannot be opened: Is a directory"),
    ]

    @Test("A path that cannot be written says so, and what helps", arguments: paths)
    private func unwritable(row: PathRow) throws {
        let folder = try TemporaryFolder()
        try Data().write(to: URL(filePath: folder.file("taken")))
        let error = error { try OpenedStore(path: folder.file(row.path)) }
        #expect(error?.reason.hasPrefix(row.reason) == true, "\(String(describing: error))")
        #expect(error?.remedy?.contains("--database FILE") == true)
    }
}

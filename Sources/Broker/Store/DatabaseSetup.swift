import BrokerCore
import Foundation
import GRDB
import Migrations

/// Opens the database file for its owner only, and brings its schema up to date.
///
/// Exactly one connection writes or checkpoints: SQLite 3.7.0 to 3.51.2 can corrupt a database in WAL mode when two
/// do so at once. The file is locked for as long as the broker runs, so that no other program opens it meanwhile.
enum DatabaseSetup {
    /// A connection to the database at `path`; its folder is made (0700) if it is not there.
    static func open(path: String) throws(StoreError) -> DatabaseQueue {
        try prepareFile(at: path)
        do {
            var configuration = Configuration()
            configuration.label = "fanfare.store"
            configuration.prepareDatabase { database in
                // Exclusive before the first access: with WAL this keeps every other process out, and the index of
                // the log in memory instead of in a file.
                try database.execute(sql: "PRAGMA locking_mode = EXCLUSIVE")
                // Before anything is written: a database that is refused stays as it is.
                try checkVersion(of: database, against: Migration.all)
                try database.execute(sql: "PRAGMA journal_mode = WAL")
                try database.execute(sql: "PRAGMA synchronous = NORMAL")
                try database.execute(sql: "PRAGMA foreign_keys = ON")
            }
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.writeWithoutTransaction { database in try migrate(database) }
            return queue
        } catch let error as StoreError {
            throw error
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
            throw StoreError(
                what: path, reason: "the database is in use by another program",
                remedy: "Stop the other broker, or give this one a database of its own with --database FILE")
        } catch let error as DatabaseError where error.resultCode == .SQLITE_NOTADB {
            throw StoreError(
                what: path, reason: "the file is not a database", remedy: "Name another file with --database FILE")
        } catch {
            throw StoreError(what: path, reason: "the database cannot be opened: \(error)")
        }
    }

    /// Makes the folder and the file with access for their owner only, whatever the umask is.
    private static func prepareFile(at path: String) throws(StoreError) {
        let folder = (path as NSString).deletingLastPathComponent
        do {
            if !folder.isEmpty, !FileManager.default.fileExists(atPath: folder) {
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            }
        } catch {
            throw StoreError(
                what: folder, reason: "the folder cannot be made: \(reason(of: error))",
                remedy: "Name a file in a folder that you may write to with --database FILE")
        }
        // SQLite gives its side files the mode of the database file, so it is enough to make that one.
        let descriptor = Foundation.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreError(
                what: path, reason: "the file cannot be opened: \(String(cString: strerror(errno)))",
                remedy: "Name a file that you may write to with --database FILE")
        }
        close(descriptor)
    }

    private static func reason(of error: any Error) -> String {
        let error = error as NSError
        let underlying = error.userInfo[NSUnderlyingErrorKey] as? NSError
        return underlying?.localizedDescription ?? error.localizedDescription
    }

    /// Applies the migrations that the database does not have yet, each in a transaction.
    static func migrate(_ database: Database, to migrations: [Migration] = Migration.all) throws {
        let current = try checkVersion(of: database, against: migrations)
        for migration in migrations where migration.version > current {
            try database.inTransaction {
                try database.execute(sql: migration.sql)
                try database.execute(sql: "PRAGMA user_version = \(migration.version)")
                return .commit
            }
        }
    }

    /// The version of the database's schema, unless a newer broker has made it.
    @discardableResult
    private static func checkVersion(of database: Database, against migrations: [Migration]) throws -> Int {
        let newest = migrations.last?.version ?? 0
        let current = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        guard current <= newest else {
            throw StoreError(
                what: database.path, reason: "the database has version \(current), this broker knows up to \(newest)",
                remedy: "Use the newer broker that wrote it, or another file with --database FILE")
        }
        return current
    }
}

extension Database {
    /// The file that the main database lies in.
    fileprivate var path: String {
        (try? Row.fetchOne(self, sql: "PRAGMA database_list")?["file"]) ?? "database"
    }
}

import BrokerCore
import Foundation
import GRDB
import Migrations

/// Opens the database file for its owner only, and brings its schema up to date.
///
/// **Exactly one connection writes or checkpoints**: SQLite 3.7.0 to 3.51.2 can corrupt a database in WAL mode when two
/// do so at once. All others are opened for reading only, no connection checkpoints by itself, and the lock keeps other
/// brokers out.
enum DatabaseSetup {
    /// The connection that writes; the file's folder is made (0700) if it is not there.
    static func openWriter(path: String, lock: DatabaseLock) throws(StoreError) -> DatabaseQueue {
        try opening(path) {
            var configuration = Configuration()
            configuration.label = "fanfare.store.writer"
            configuration.busyMode = .timeout(5)
            configuration.prepareDatabase { database in
                // Before anything is written: a database that is refused stays as it is.
                try SchemaMigration.checkVersion(of: database)
                // Takes effect in a new file only, and has to come first.
                try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
                try database.execute(sql: "PRAGMA journal_mode = WAL")
                try database.execute(sql: "PRAGMA wal_autocheckpoint = 0")
                try database.execute(sql: "PRAGMA synchronous = NORMAL")
                try database.execute(sql: "PRAGMA journal_size_limit = 67108864")
                try database.execute(sql: "PRAGMA cache_size = -16384")
                try database.execute(sql: "PRAGMA foreign_keys = ON")
            }
            return try DatabaseQueue(path: path, configuration: configuration)
        }
    }

    /// A connection that can only read.
    static func openReader(path: String) throws(StoreError) -> DatabaseQueue {
        try opening(path) {
            var configuration = Configuration()
            configuration.label = "fanfare.store.reader"
            configuration.readonly = true
            configuration.busyMode = .timeout(5)
            configuration.prepareDatabase { database in
                try database.execute(sql: "PRAGMA query_only = ON")
                try database.execute(sql: "PRAGMA wal_autocheckpoint = 0")
                try database.execute(sql: "PRAGMA cache_size = -8192")
            }
            return try DatabaseQueue(path: path, configuration: configuration)
        }
    }

    /// Makes the folder of the file with access for its owner only, whatever the umask is.
    static func makeFolder(of path: String) throws(StoreError) {
        let folder = (path as NSString).deletingLastPathComponent
        guard !folder.isEmpty, !FileManager.default.fileExists(atPath: folder) else { return }
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            let error = error as NSError
            let underlying = error.userInfo[NSUnderlyingErrorKey] as? NSError
            throw StoreError(
                .unavailable, what: folder,
                reason: "the folder cannot be made: \(underlying?.localizedDescription ?? error.localizedDescription)",
                remedy: "Name a file in a folder that you may write to with --database FILE")
        }
    }

    private static func opening<Value>(_ path: String, _ body: () throws -> Value) throws(StoreError) -> Value {
        do {
            return try body()
        } catch let error as StoreError {
            throw error
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
            throw StoreError(
                .unavailable, what: path, reason: "the database is in use by another program",
                remedy: "Stop the other program, or give this broker a database of its own with --database FILE")
        } catch let error as DatabaseError where error.resultCode == .SQLITE_NOTADB {
            throw StoreError(
                .unavailable, what: path, reason: "the file is not a database",
                remedy: "Name another file with --database FILE")
        } catch {
            throw StoreError(describing: error, what: path)
        }
    }
}

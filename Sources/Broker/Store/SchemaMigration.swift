import BrokerCore
import Foundation
import GRDB
import Migrations

/// Brings the schema of a database up to date (`migrations/`), each version in a transaction of its own.
enum SchemaMigration {
    /// Applies the migrations that the database does not have yet. Unless it is new, a copy of it is kept beside it
    /// before (`fanfare.db.version-2`), so that one can go back.
    static func apply(
        _ migrations: [Migration] = Migration.all, to queue: DatabaseQueue, path: String
    ) throws(StoreError) {
        do {
            try queue.writeWithoutTransaction { database in
                let current = try checkVersion(of: database, against: migrations)
                guard let newest = migrations.last?.version, current < newest else { return }
                if current > 0 { try keepCopy(of: database, at: path + ".version-\(current)") }
                for migration in migrations where migration.version > current {
                    try database.inTransaction {
                        try database.execute(sql: migration.sql)
                        try database.execute(sql: "PRAGMA user_version = \(migration.version)")
                        return .commit
                    }
                }
                try giveBackSpace(in: database)
            }
        } catch {
            throw StoreError(describing: error, what: path)
        }
    }

    /// The migrations that a database lacks; none for one that is up to date.
    static func missing(in database: Database) throws -> [Migration] {
        let current = try checkVersion(of: database)
        return Migration.all.filter { $0.version > current }
    }

    /// The version of the database's schema, unless a newer broker has made it.
    @discardableResult
    static func checkVersion(of database: Database, against migrations: [Migration] = Migration.all) throws -> Int {
        let newest = migrations.last?.version ?? 0
        let current = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        guard current <= newest else {
            let file: String? = try Row.fetchOne(database, sql: "PRAGMA database_list")?["file"]
            throw StoreError(
                .unavailable, what: file ?? "database",
                reason: "the database has version \(current), this broker knows up to \(newest)",
                remedy: "Use the newer broker that wrote it, or another file with --database FILE")
        }
        try checkOwner(of: database, version: current)
        return current
    }

    /// Throws when the database is another program's.
    private static func checkOwner(of database: Database, version: Int) throws {
        let ours = 0x4661_6e66
        // The first two versions had no mark.
        let isMarked = try Int.fetchOne(database, sql: "PRAGMA application_id") == ours
        let isEmpty = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master") == 0
        let hasLog = try database.tableExists("log") && database.tableExists("publication")
        guard version == 0 ? isEmpty : isMarked || version < 3 && hasLog else {
            let file: String? = try Row.fetchOne(database, sql: "PRAGMA database_list")?["file"]
            throw StoreError(
                .unavailable, what: file ?? "database", reason: "the database is another program's",
                remedy: "Name another file with --database FILE")
        }
    }

    private static func keepCopy(of database: Database, at path: String) throws {
        try? FileManager.default.removeItem(atPath: path)
        guard FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]) else {
            throw StoreError(
                .unavailable, what: path, reason: "the copy of the database before its migration cannot be made",
                remedy: "Make room in the folder, and let the broker write there")
        }
        try database.execute(sql: "VACUUM INTO ?", arguments: [path])
    }

    /// A database that was made before space was given back in small steps is rebuilt for that, once.
    private static func giveBackSpace(in database: Database) throws {
        let incremental = 2
        guard try Int.fetchOne(database, sql: "PRAGMA auto_vacuum") != incremental else { return }
        try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL; VACUUM")
    }
}

package import BrokerCore
import Foundation
import GRDB
import Migrations

/// A database while no broker has it.
package struct OfflineDatabase {
    private let path: String
    private let lock: DatabaseLock

    /// Takes the right to the database at `path`; throws when there is none, or a broker has it.
    package init(path: String) throws(StoreError) {
        guard FileManager.default.fileExists(atPath: path) else {
            throw StoreError(
                .unavailable, what: path, reason: "there is no database", remedy: "Name it with --database")
        }
        self.path = path
        lock = try DatabaseLock(path: path)
    }

    /// Looks for damage.
    package func check() throws(StoreError) -> StoreReport {
        try reading { try StoreReport(of: $0) }
    }

    /// Writes a copy to a file that does not exist yet.
    package func backUp(to file: String) throws(StoreError) {
        let connection = try DatabaseSetup.openReader(path: path)
        defer { try? connection.close() }
        try Backup.write(connection, to: file)
    }

    /// The migrations that the database lacks, by name.
    package func missingMigrations() throws(StoreError) -> [String] {
        try reading { try SchemaMigration.missing(in: $0).map(\.name) }
    }

    /// Brings the database up to date, as the broker does when it starts.
    package func migrate() throws(StoreError) {
        let connection = try DatabaseSetup.openWriter(path: path, lock: lock)
        defer { try? connection.close() }
        try SchemaMigration.apply(to: connection, path: path)
    }

    private func reading<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
        let connection = try DatabaseSetup.openReader(path: path)
        defer { try? connection.close() }
        do {
            return try connection.read(body)
        } catch {
            throw StoreError(describing: error, what: path)
        }
    }
}

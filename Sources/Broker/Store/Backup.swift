import BrokerCore
import Foundation
import GRDB

/// A copy of a database as it is at one moment, while others write to it.
enum Backup {
    /// Writes it to a file that does not exist yet, for its owner only; the file is there when it is whole and synced.
    static func write(_ connection: DatabaseQueue, to file: String) throws(StoreError) {
        let unfinished = file + ".unfinished"
        do {
            guard !FileManager.default.fileExists(atPath: file) else {
                throw StoreError(
                    .unavailable, what: file, reason: "the file exists", remedy: "Name one that does not exist")
            }
            try? FileManager.default.removeItem(atPath: unfinished)
            let isMade = FileManager.default.createFile(
                atPath: unfinished, contents: nil, attributes: [.posixPermissions: 0o600])
            guard isMade else {
                throw StoreError(
                    .unavailable, what: file, reason: "the file cannot be made: \(String(cString: strerror(errno)))",
                    remedy: "Name a file in a folder that the broker may write to")
            }
            let copy = try DatabaseQueue(path: unfinished)
            defer { try? copy.close() }
            // All pages in one step: one transaction that reads, and no other connection checkpoints or waits.
            try connection.backup(to: copy)
            // A copy that is no database in WAL mode consists of one file.
            try copy.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA journal_mode = DELETE")
                // Whoever goes back to it has another log from there on.
                try database.execute(sql: "UPDATE log SET epoch = ?", arguments: [UUID().uuidString.lowercased()])
            }
            try copy.close()
            try sync(unfinished)
            try FileManager.default.moveItem(atPath: unfinished, toPath: file)
            try sync((file as NSString).deletingLastPathComponent)
        } catch {
            try? FileManager.default.removeItem(atPath: unfinished)
            throw StoreError(describing: error, what: file)
        }
    }

    /// Sees to it that a file or a folder survives the loss of power.
    private static func sync(_ path: String) throws {
        let descriptor = Foundation.open(path.isEmpty ? "." : path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { Foundation.close(descriptor) }
        guard fsync(descriptor) == 0 else {
            throw StoreError(.failedSync, what: path, reason: String(cString: strerror(errno)))
        }
    }
}

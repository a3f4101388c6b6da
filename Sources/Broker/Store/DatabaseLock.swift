import BrokerCore
import Foundation
import Synchronization

/// The right to the database file: one broker has it, and keeps it until it closes.
///
/// SQLite's own locks let a second writer in between two transactions; this one (flock(2)) is held throughout. The
/// descriptor is closed after SQLite's, for closing any descriptor of a file drops all POSIX locks of the process on it.
final class DatabaseLock: Sendable {
    private let path: String
    private let descriptor: Int32
    /// SQLite's log, once there is one; it stays the same for as long as the database is open.
    private let walIdentity = Mutex<FileIdentity?>(nil)

    /// Takes the right to the file at `path`, which is made, for its owner only, if it is not there.
    init(path: String) throws(StoreError) {
        self.path = path
        descriptor = Foundation.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreError(
                .unavailable, what: path, reason: "the file cannot be opened: \(String(cString: strerror(errno)))",
                remedy: "Name a file that you may write to with --database FILE")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            Foundation.close(descriptor)
            throw StoreError(
                .unavailable, what: path, reason: "the database is in use by another broker",
                remedy: "Stop the other broker, or give this one a database of its own with --database FILE")
        }
    }

    deinit { Foundation.close(descriptor) }

    /// Throws when the file, or SQLite's log beside it, is not there any more, or another one is in its place: what is
    /// written to a file without a name is gone with the process.
    func checkFiles() throws(StoreError) {
        let named = FileIdentity(path: path)
        let log = FileIdentity(path: path + "-wal")
        let known = walIdentity.withLock { known in
            known = known ?? log
            return known
        }
        guard let named, named == FileIdentity(descriptor: descriptor), known == log else {
            throw StoreError(
                .removed, what: path, reason: "a file of the database was removed or replaced while the broker runs",
                remedy: "Take a backup with broker-server backup, put it there, and start the broker again")
        }
    }
}

/// Which file it is, whatever its name.
private struct FileIdentity: Equatable {
    private let device: dev_t
    private let inode: ino_t

    /// The file that has a name; nil if there is none.
    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    /// The file that is open.
    init?(descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        self.init(status)
    }

    private init(_ status: stat) {
        device = status.st_dev
        inode = status.st_ino
    }
}

import BrokerCore
import Foundation

/// The right to the database file: one broker has it, and keeps it until it closes.
///
/// SQLite's own locks let a second writer in between two transactions; this one (flock(2)) is held throughout. The
/// descriptor is closed after SQLite's, for closing any descriptor of a file drops all POSIX locks of the process on it.
final class DatabaseLock: Sendable {
    private let path: String
    private let descriptor: Int32

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

    /// Throws when the file is not there any more, or another one is in its place: what is written to a file without
    /// a name is gone with the process.
    func checkFile() throws(StoreError) {
        var ours = stat()
        var named = stat()
        guard fstat(descriptor, &ours) == 0, stat(path, &named) == 0, ours.st_ino == named.st_ino,
            ours.st_dev == named.st_dev
        else {
            throw StoreError(
                .removed, what: path, reason: "the database file was removed or replaced while the broker runs",
                remedy: "Take a backup with broker-server backup, put it there, and start the broker again")
        }
    }
}

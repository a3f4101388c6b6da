import Foundation

/// Writes files so that they are there as a whole or not at all, also after a loss of power.
enum DurableFile {
    /// Replaces a file.
    static func write(_ bytes: [UInt8], to path: String) throws(CLIError) {
        let temporary = path + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .cannotCreate("\(path): \(String(cString: strerror(errno)))") }
        if let error = bytes.write(to: descriptor) {
            close(descriptor)
            throw .inputOutput("\(path): \(String(cString: strerror(error)))")
        }
        let isSynced = fsync(descriptor) == 0
        close(descriptor)
        guard isSynced, rename(temporary, path) == 0 else {
            throw .inputOutput("\(path): \(String(cString: strerror(errno)))")
        }
        syncFolder(of: path)
    }

    /// Makes the names in a file's folder last.
    static func syncFolder(of path: String) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let descriptor = open(folder.isEmpty ? "/" : folder, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}

/// A lock on a file, held by one process at a time, and let go when the process ends.
final class FileLock {
    /// A program that was killed leaves its lock to a command that it was just about to start, until that has begun.
    private static let patience = Duration.seconds(1)

    private let descriptor: Int32

    /// Takes the lock; when another process has it, waits if `waits`, else throws after a moment.
    init(_ path: String, waits: Bool, inUse: String) throws(CLIError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw .cannotCreate("\(path): \(String(cString: strerror(errno)))")
        }
        let start = ContinuousClock.now
        while flock(descriptor, waits ? LOCK_EX : LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            if errno == EWOULDBLOCK, ContinuousClock.now - start < Self.patience {
                usleep(10_000)
                continue
            }
            close(descriptor)
            throw .cannotCreate(inUse)
        }
    }

    deinit { close(descriptor) }
}

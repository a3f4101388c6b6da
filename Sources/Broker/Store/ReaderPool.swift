import BrokerCore
import Dispatch
import Foundation
import GRDB
import Synchronization

/// The connections that read, each with a thread of its own.
final class ReaderPool: Sendable {
    private struct Reader {
        let connection: DatabaseQueue
        let thread: DispatchQueue
        var waitingCount = 0
    }
    private let path: String
    private let readers = Mutex<[Reader]>([])

    /// No connection yet, to the file at `path`.
    init(path: String) {
        self.path = path
    }

    func open(count: Int) throws(StoreError) {
        for number in 0..<count {
            let connection = try DatabaseSetup.openReader(path: path)
            let thread = DispatchQueue(label: "fanfare.store.reader.\(number)")
            readers.withLock { $0.append(Reader(connection: connection, thread: thread)) }
        }
    }

    /// Reads with the connection that has least to do; with none when the pool is closed.
    func read(_ body: @escaping @Sendable (Database?) -> Void) {
        let chosen = readers.withLock { readers -> (index: Int, reader: Reader)? in
            guard let index = readers.indices.min(by: { readers[$0].waitingCount < readers[$1].waitingCount }) else {
                return nil
            }
            readers[index].waitingCount += 1
            return (index, readers[index])
        }
        guard let chosen else { return body(nil) }
        chosen.reader.thread.async { [self] in
            do {
                // One transaction: what is read belongs together.
                try chosen.reader.connection.read { body($0) }
            } catch {
                body(nil)
            }
            readers.withLock { if chosen.index < $0.count { $0[chosen.index].waitingCount -= 1 } }
        }
    }

    /// Waits for what is being read, and closes.
    func close() {
        let open = readers.withLock { readers in
            defer { readers = [] }
            return readers
        }
        for reader in open {
            reader.thread.sync { try? reader.connection.close() }
        }
    }

    /// A copy of the database as it is at one moment, with a connection of its own, which takes as long as it takes.
    func backUp(to file: String) throws(StoreError) {
        let unfinished = file + ".unfinished"
        do {
            guard !FileManager.default.fileExists(atPath: file) else {
                throw StoreError(
                    .unavailable, what: file, reason: "the file exists", remedy: "Name one that does not exist")
            }
            try? FileManager.default.removeItem(atPath: unfinished)
            let isMade = FileManager.default.createFile(
                atPath: unfinished, contents: nil, attributes: [.posixPermissions: 0o600])
            guard isMade else { throw StoreError(.unavailable, what: file, reason: "the file cannot be made") }
            let connection = try DatabaseSetup.openReader(path: path)
            defer { try? connection.close() }
            try connection.inDatabase { try $0.execute(sql: "VACUUM INTO ?", arguments: [unfinished]) }
            try Self.sync(unfinished)
            try FileManager.default.moveItem(atPath: unfinished, toPath: file)
            try Self.sync((file as NSString).deletingLastPathComponent)
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

import BrokerCore
import Dispatch
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
    /// For what takes long. Open from the start, for it must work also when the file has lost its name.
    private let spare = Mutex<DatabaseQueue?>(nil)

    /// No connection yet, to the file at `path`.
    init(path: String) {
        self.path = path
    }

    func open(count: Int) throws(StoreError) {
        let connection = try DatabaseSetup.openReader(path: path)
        spare.withLock { $0 = connection }
        for number in 0..<count {
            let connection = try DatabaseSetup.openReader(path: path)
            let thread = DispatchQueue(label: "fanfare.store.reader.\(number)")
            readers.withLock { $0.append(Reader(connection: connection, thread: thread)) }
        }
    }

    /// Reads with the connection that has least to do; with none when the pool is closed, also while this has waited.
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
            // Whoever closes waits for this thread.
            if readers.withLock({ $0.isEmpty }) { return body(nil) }
            var hasRun = false
            // One transaction: what is read belongs together. It can also fail at its end, when all is read.
            try? chosen.reader.connection.read { database in
                hasRun = true
                body(database)
            }
            if !hasRun { body(nil) }
            readers.withLock { if chosen.index < $0.count { $0[chosen.index].waitingCount -= 1 } }
        }
    }

    /// Waits for what is being read, and closes. What waits for that is read with no connection.
    func close() {
        let open = readers.withLock { readers in
            defer { readers = [] }
            return readers
        }
        let spare = spare.withLock { spare in
            defer { spare = nil }
            return spare
        }
        try? spare?.close()
        for reader in open {
            reader.thread.sync { try? reader.connection.close() }
        }
    }

    /// Reads for as long as it takes, without holding up who reads a little.
    func readAtLeisure<Value>(_ body: (DatabaseQueue) throws -> Value) throws(StoreError) -> Value {
        guard let spare = spare.withLock({ $0 }) else {
            throw StoreError(.unavailable, what: path, reason: "the store is closed")
        }
        do {
            return try body(spare)
        } catch {
            throw StoreError(describing: error, what: path)
        }
    }
}

package import BrokerCore
import Dispatch
import GRDB
import Synchronization

/// The store that outlives the process: a SQLite database with one connection that writes, and some that read.
///
/// Operations are taken without waiting. Whatever has gathered while a transaction ran makes up the next one (group
/// commit), so many operations share a commit when there are many, and one does not wait when it is alone.
package final class SQLiteStore: Store {
    /// A commit takes at most this many operations, so that none of them waits long for its outcome.
    private static let batchLimit = 4_096

    private struct Inbox {
        var operations: [StoreOperation] = []
        var isDraining = false
        var handler: (@Sendable ([StoreOutcome]) -> Void)?

        /// What is carried out next; nothing ends the draining.
        mutating func takeBatch(atMost limit: Int) -> [StoreOperation] {
            var batch: [StoreOperation] = []
            if operations.count <= limit {
                swap(&batch, &operations)
            } else {
                batch = Array(operations.prefix(limit))
                operations.removeFirst(limit)
            }
            isDraining = !batch.isEmpty
            return batch
        }
    }
    private let path: String
    private let options: StoreOptions
    private let inbox = Mutex(Inbox())
    /// The one thread that writes.
    private let queue = DispatchQueue(label: "fanfare.store.writer")
    /// Used on `queue` only.
    private nonisolated(unsafe) var writer: StoreWriter?
    private let readers: ReaderPool
    private let volatile = VolatileLog()

    /// A store in the file at `path`.
    package init(path: String, options: StoreOptions) {
        self.path = path
        self.options = options
        readers = ReaderPool(path: path)
    }

    package func open(handler: @escaping @Sendable ([StoreOutcome]) -> Void) throws(StoreError) -> StoredState {
        let state = try queue.sync { Result { () throws(StoreError) in try openWriter() } }.get()
        try readers.open(count: options.readerCount)
        inbox.withLock { $0.handler = handler }
        return state
    }

    private func openWriter() throws(StoreError) -> StoredState {
        var opened = try StoreWriter(path: path, options: options, volatile: volatile)
        let state = try opened.load()
        writer = opened
        return state
    }

    package func submit(_ operations: [StoreOperation]) {
        var writes = operations
        if operations.contains(where: \.isReading) {
            writes.removeAll(where: \.isReading)
            for operation in operations where operation.isReading { read(operation) }
        }
        guard !writes.isEmpty else { return }
        let mustStart = inbox.withLock { inbox in
            inbox.operations += writes
            defer { inbox.isDraining = true }
            return !inbox.isDraining
        }
        if mustStart { queue.async { [self] in drain() } }
    }

    package func close() {
        readers.close()
        queue.sync {
            drain()
            inbox.withLock { $0.handler = nil }
            writer?.close()
            writer = nil
        }
    }

    /// Writes a copy of the database, as it is at one moment, to a file that does not exist yet. The broker goes on.
    package func backUp(to file: String) throws(StoreError) {
        try readers.readAtLeisure { try Backup.write($0, to: file) }
    }

    /// Looks for damage, and counts what there is. The broker goes on.
    package func check() throws(StoreError) -> StoreReport {
        try readers.readAtLeisure { try $0.read { try StoreReport(of: $0) } }
    }

    private func read(_ operation: StoreOperation) {
        readers.read { [self] database in
            let outcome: StoreOutcome
            do {
                guard let database else { throw StoreError(.unavailable, what: path, reason: "the store is closed") }
                outcome = try LogReader(database: database, volatile: volatile).outcome(of: operation)
            } catch {
                outcome = .failed(operation.ticket, StoreError(describing: error, what: path))
            }
            handOver([outcome])
        }
    }

    /// Runs on `queue`: carries out what waits, in batches, until nothing waits any more; then tidies up, a little.
    private func drain() {
        while true {
            let batch = inbox.withLock { $0.takeBatch(atMost: Self.batchLimit) }
            guard !batch.isEmpty else { break }
            let outcomes =
                writer?.commit(batch)
                ?? batch.map {
                    .failed($0.ticket, StoreError(.unavailable, what: path, reason: "the store is closed"))
                }
            handOver(outcomes)
            _ = writer?.tidyUp(hasMore: true)
        }
        if writer?.tidyUp(hasMore: false) == true { queue.async { [self] in drain() } }
    }

    private let handingOver = Mutex<Void>(())

    /// Hands outcomes over, one call at a time.
    private func handOver(_ outcomes: [StoreOutcome]) {
        let handler = inbox.withLock { $0.handler }
        handingOver.withLock { _ in handler?(outcomes) }
    }
}

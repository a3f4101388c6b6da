package import BrokerCore
import Dispatch
import GRDB
import Synchronization

/// The store that outlives the process: a SQLite database, one connection, one transaction for all that waits.
///
/// Operations are taken without waiting. Whatever has gathered while a transaction ran makes up the next one, so many
/// operations share a commit when there are many, and one does not wait when it is alone.
package final class SQLiteStore: Store {
    /// A commit takes at most this many operations, so that none of them waits long for its outcome.
    private static let batchLimit = 4_096

    private struct Inbox {
        var operations: [StoreOperation] = []
        var isDraining = false
        var handler: (@Sendable ([StoreOutcome]) -> Void)?
    }
    private let path: String
    private let makeEpoch: @Sendable () -> String
    private let inbox = Mutex(Inbox())
    private let database = Mutex<DatabaseQueue?>(nil)
    /// The one thread that writes.
    private let queue = DispatchQueue(label: "fanfare.store")

    /// A store in the file at `path`; `makeEpoch` names the log of a new database.
    package init(path: String, makeEpoch: @escaping @Sendable () -> String) {
        self.path = path
        self.makeEpoch = makeEpoch
    }

    package func open(handler: @escaping @Sendable ([StoreOutcome]) -> Void) throws(StoreError) -> StoredState {
        let opened = try DatabaseSetup.open(path: path)
        do {
            let state = try opened.writeWithoutTransaction { try StoreStatements.load($0, makeEpoch: makeEpoch) }
            inbox.withLock { $0.handler = handler }
            database.withLock { $0 = opened }
            return state
        } catch {
            throw StoreError(what: path, reason: "the database cannot be read: \(error)")
        }
    }

    package func submit(_ operations: [StoreOperation]) {
        let mustStart = inbox.withLock { inbox in
            inbox.operations += operations
            defer { inbox.isDraining = true }
            return !inbox.isDraining
        }
        if mustStart { queue.async { [self] in drain() } }
    }

    package func close() {
        queue.sync {
            drain()
            inbox.withLock { $0.handler = nil }
            database.withLock { database in
                try? database?.close()
                database = nil
            }
        }
    }

    /// Runs on `queue`: carries out what waits, in batches, until nothing waits any more.
    private func drain() {
        while true {
            let (batch, handler) = inbox.withLock { inbox in
                let batch = Array(inbox.operations.prefix(Self.batchLimit))
                inbox.operations.removeFirst(batch.count)
                inbox.isDraining = !batch.isEmpty
                return (batch, inbox.handler)
            }
            guard !batch.isEmpty else { return }
            handler?(commit(batch))
        }
    }

    /// Carries out a batch in one transaction. When the commit fails, nothing of it has happened.
    private func commit(_ batch: [StoreOperation]) -> [StoreOutcome] {
        guard let database = database.withLock({ $0 }) else {
            return batch.map { .failed($0.ticket, StoreError(what: path, reason: "the store is closed")) }
        }
        var outcomes: [StoreOutcome] = []
        outcomes.reserveCapacity(batch.count)
        do {
            try database.writeWithoutTransaction { database in
                try database.inTransaction(.immediate) {
                    var statements = try StoreStatements(database)
                    for operation in batch { outcomes.append(attempt(operation, with: &statements, in: database)) }
                    try statements.finish()
                    return .commit
                }
            }
            return outcomes
        } catch {
            let failure = StoreError(what: path, reason: "\(error)")
            return batch.map { .failed($0.ticket, failure) }
        }
    }

    /// Carries out one operation, whole or not at all.
    private func attempt(
        _ operation: StoreOperation, with statements: inout StoreStatements, in database: Database
    ) -> StoreOutcome {
        var outcome: StoreOutcome?
        do {
            let before = statements
            try database.inSavepoint {
                do {
                    outcome = try statements.apply(operation)
                    return .commit
                } catch {
                    statements = before
                    throw error
                }
            }
        } catch {
            return .failed(operation.ticket, StoreError(what: path, reason: "\(error)"))
        }
        return outcome ?? .done(operation.ticket)
    }
}

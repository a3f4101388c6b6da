import BrokerCore
import GRDB

/// The one connection that writes and checkpoints; used by one thread at a time.
struct StoreWriter {
    private let path: String
    private let options: StoreOptions
    private let lock: DatabaseLock
    private let connection: DatabaseQueue
    private let volatile: VolatileLog
    private let metrics = StoreMetrics()
    private var log = LogWriter()
    private var room: DatabaseRoom
    private var cleaner: LogCleaner
    private var checkpointer: Checkpointer
    /// What the database syncs with at present.
    private var isSyncing = false
    /// Why nothing is taken any more.
    private var fatal: StoreError?
    /// Batches since the cleaner had its last turn.
    private var batchCount = 0

    /// Takes the database over and brings its schema up to date.
    init(path: String, options: StoreOptions, volatile: VolatileLog) throws(StoreError) {
        self.path = path
        self.options = options
        self.volatile = volatile
        try DatabaseSetup.makeFolder(of: path)
        lock = try DatabaseLock(path: path)
        connection = try DatabaseSetup.openWriter(path: path, lock: lock)
        try SchemaMigration.apply(to: connection, path: path)
        cleaner = LogCleaner(window: options.repeatWindow)
        checkpointer = Checkpointer(pages: options.checkpointPages)
        room = DatabaseRoom(maximumBytes: options.limits.databaseBytes)
    }

    /// What outlived the last run.
    mutating func load() throws(StoreError) -> StoredState {
        do {
            return try connection.writeWithoutTransaction { database in
                let publishedAfter = options.wall() - options.repeatWindow
                var state = try StoredLog.load(
                    from: database, makeEpoch: options.makeEpoch, publishedAfter: publishedAfter)
                try log.begin(database)
                state.lastSequence = log.lastSequence
                volatile.follow(VolatileChanges(), through: log.lastSequence)
                checkpointer.watch(database)
                return state
            }
        } catch {
            throw StoreError(describing: error, what: path)
        }
    }

    /// The last connection to close, so that SQLite brings its log into the database then.
    mutating func close() {
        if fatal == nil { try? connection.writeWithoutTransaction { try log.release($0) } }
        log.close()
        try? connection.close()
    }

    /// Carries out a batch in one transaction. If one of its operations fails, each is tried by itself.
    mutating func commit(_ batch: [StoreOperation]) -> [StoreOutcome] {
        do {
            if let fatal { throw fatal }
            guard batch.contains(where: \.isWriting) else { return batch.map { outcome(ofIdle: $0) } }
            try lock.checkFiles()
            let start = ContinuousClock.now
            let outcomes = try connection.writeWithoutTransaction { try transaction(batch, in: $0) }
            metrics.recordCommit(count: batch.count, duration: start.duration(to: .now))
            return outcomes
        } catch {
            let failure = StoreError(describing: error, what: path)
            if failure.kind == .failedSync { fatal = failure }
            if failure.concernsAll || batch.count == 1 {
                metrics.recordFailures(failure.kind, count: batch.count(where: \.isWriting))
                return batch.map { $0.isWriting ? .failed($0.ticket, failure) : outcome(ofIdle: $0) }
            }
            return batch.flatMap { commit([$0]) }
        }
    }

    /// What nothing has to be written for.
    private func outcome(ofIdle operation: StoreOperation) -> StoreOutcome {
        .done(operation.ticket)
    }

    private mutating func transaction(_ batch: [StoreOperation], in database: Database) throws -> [StoreOutcome] {
        let reserve = log.reserve(for: batch.count)
        try sync(reserve != nil || batch.contains(where: \.mustSync), database)
        var outcomes: [StoreOutcome] = []
        outcomes.reserveCapacity(batch.count)
        var changes = VolatileChanges()
        do {
            try database.inTransaction(.immediate) {
                if let reserve { try log.writeReserve(reserve, database) }
                for operation in batch {
                    outcomes.append(try apply(operation, in: database, &changes))
                }
                try log.finish(database)
                return .commit
            }
        } catch {
            // What the writer knows of the log has not happened. If even that cannot be read, it is read next time.
            try? log.forget(database)
            throw error
        }
        if let reserve { log.noteReserve(reserve) }
        volatile.follow(changes, through: log.lastSequence)
        return outcomes
    }

    /// With `full`, SQLite syncs its log at each commit, and with it all that was committed before.
    private mutating func sync(_ mustSync: Bool, _ database: Database) throws {
        guard mustSync != isSyncing else { return }
        try database.cachedStatement(sql: "PRAGMA synchronous = \(mustSync ? "FULL" : "NORMAL")").execute()
        isSyncing = mustSync
    }

    private mutating func apply(
        _ operation: StoreOperation, in database: Database, _ changes: inout VolatileChanges
    ) throws -> StoreOutcome {
        switch operation {
        case .publish(let ticket, let draft) where try draft.isKept && !hasRoom(for: draft, in: database):
            metrics.recordFailures(.full, count: 1)
            return .failed(ticket, .noRoom(in: path))
        case .publish(let ticket, let draft) where draft.durability == .memory:
            let sequence = log.skip()
            changes.append(draft, sequence: sequence)
            // One that was written, when the policy was another, is not to come back.
            if draft.retention != nil { try log.clearRetained(of: draft.channel, in: database) }
            return .published(ticket, sequence: sequence)
        case .publish(let ticket, let draft):
            if draft.retention != nil { changes.clearRetained(of: draft.channel) }
            return .published(ticket, sequence: try log.append(draft, to: database))
        case .subscribe(let ticket, let session, let items, let wall):
            let since = log.lastSequence
            let hasPast = try hasPast(items, changes, in: database)
            if let session {
                try SessionTable.subscribe(
                    session, to: items, since: since, hasPast: hasPast, wall: wall, in: database)
            }
            return .subscribed(ticket, through: since, hasPast: hasPast)
        case .unsubscribe(let ticket, let clientID, let patterns):
            try SessionTable.unsubscribe(clientID, from: patterns, in: database)
            return .done(ticket)
        case .endSession(let ticket, let clientID):
            try SessionTable.end(clientID, in: database)
            return .done(ticket)
        case .moveCursors(let ticket, let cursors):
            try SessionTable.move(cursors, in: database)
            return .done(ticket)
        case .probe(let ticket):
            try SessionTable.probe(database)
            return .done(ticket)
        case .pass(let ticket):
            return .done(ticket)
        case .readBacklog, .readOn, .readRetained, .readHistory:
            preconditionFailure("Cannot read in a transaction that writes")
        }
    }

    private mutating func hasRoom(for draft: PublicationDraft, in database: Database) throws -> Bool {
        guard draft.durability == .memory else { return try room.take(draft, in: database) }
        return volatile.change { [options] in $0.makeRoom(for: draft, within: options.limits.memoryBytes) }
    }

    private func hasPast(
        _ items: [SubscriptionItem], _ changes: VolatileChanges, in database: Database
    ) throws -> Bool {
        if items.contains(where: \.asksForPast) { return true }
        let fresh = changes.retained
        if !fresh.isEmpty, items.wantRetained(of: fresh, contains: { fresh.contains($0) }) { return true }
        if volatile.read({ $0.hasRetained(for: items) }) { return true }
        let reader = LogReader(database: database, volatile: volatile)
        return try items.contains { try $0.start != nil && reader.hasRetained(for: $0.pattern) }
    }

    /// Checkpoints and cleans, in small steps; whether there is more to be done. While operations wait (`hasMore`) the
    /// cleaner has a turn now and then only.
    mutating func tidyUp(hasMore: Bool) -> Bool {
        guard fatal == nil else { return false }
        do {
            return try connection.writeWithoutTransaction { database in
                try checkpointer.run(database, metrics)
                batchCount += 1
                guard !hasMore || batchCount.isMultiple(of: 8) else { return false }
                let wall = options.wall()
                guard cleaner.isDue(garbage: &log.garbageCount, wall: wall) else { return false }
                try cleaner.step(database, wall: wall)
                if cleaner.hasChangedHistories { try log.forget(database) }
                return true
            }
        } catch {
            let failure = StoreError(describing: error, what: path)
            if failure.kind == .failedSync { fatal = failure }
            return false
        }
    }
}

extension StoreOperation {
    /// Whether the database changes by it.
    fileprivate var isWriting: Bool {
        if case .pass = self { false } else { true }
    }

    /// Whether its outcome must survive the loss of power.
    fileprivate var mustSync: Bool {
        if case .publish(_, let draft) = self { draft.durability == .full } else { false }
    }
}

import Synchronization

/// A store that keeps everything in memory, until the process ends.
///
/// What is short is done where it is submitted. What goes through much of what is kept is for a worker, and reads a copy, one
/// for all that waits: it holds up neither who submits it nor what writes.
package final class MemoryStore: Store {
    /// Does one thing after the other, on a thread of its own if it has one.
    package struct Worker: Sendable {
        let start: @Sendable (@escaping @Sendable () -> Void) -> Void
        let finish: @Sendable () -> Void

        /// `start` is given what is to be done, and `finish` returns when all of it is.
        package init(
            start: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void, finish: @escaping @Sendable () -> Void
        ) {
            self.start = start
            self.finish = finish
        }

        /// Does everything where it is started.
        package static let here = Worker(start: { $0() }, finish: {})
    }
    fileprivate struct State {
        var handler: (@Sendable ([StoreOutcome]) -> Void)?
        /// Outcomes that are not handed over yet, and whether some thread is at it.
        var outcomes: [StoreOutcome] = []
        var isDelivering = false
        var lastSequence: UInt64 = 0
        var log = MemoryLog()
        /// What takes long to read, and whether the worker is at it.
        var waiting: [StoreOperation] = []
        var isReading = false
        var isClosed = false
    }
    private let state = Mutex(State())
    private let worker: Worker
    private let epoch: String
    private let limits: StoreLimits

    /// An empty store; `epoch` names its log. What takes long to read is for `worker`.
    package init(epoch: String, limits: StoreLimits = StoreLimits(), worker: Worker = .here) {
        self.worker = worker
        self.epoch = epoch
        self.limits = limits
    }

    package func open(handler: @escaping @Sendable ([StoreOutcome]) -> Void) throws(StoreError) -> StoredState {
        state.withLock { state in
            state.handler = handler
            return StoredState(epoch: epoch, lastSequence: state.lastSequence)
        }
    }

    package func submit(_ operations: [StoreOperation]) {
        var mustRead = false
        hand { state in
            for operation in operations {
                if let outcome = state.apply(operation, limits) {
                    state.outcomes.append(outcome)
                } else {
                    state.waiting.append(operation)
                }
            }
            guard !state.waiting.isEmpty, !state.isReading else { return }
            state.isReading = true
            mustRead = true
        }
        if mustRead { worker.start { [self] in readWaiting() } }
    }

    /// For the worker: reads what waits, until nothing waits any more. With the end of the store it waits in vain.
    private func readWaiting() {
        while let (operations, log) = state.withLock({ $0.takeWaiting() }) {
            for operation in operations {
                let isClosed = state.withLock { $0.isClosed }
                let outcome = isClosed ? .failed(operation.ticket, .closed) : log.outcome(of: operation)
                hand { $0.outcomes.append(outcome) }
            }
        }
    }

    /// Adds outcomes, and hands them over unless some thread is at it.
    private func hand(_ add: (inout State) -> Void) {
        let mustDeliver = state.withLock { state in
            add(&state)
            defer { state.isDelivering = true }
            return !state.isDelivering
        }
        if mustDeliver { deliver() }
    }

    /// Hands outcomes over outside of the lock, and still in order and one call at a time: only the thread that found
    /// nobody delivering comes here, and stays until nothing is left.
    private func deliver() {
        while true {
            let (outcomes, handler) = state.withLock { state in
                state.isDelivering = !state.outcomes.isEmpty
                defer { state.outcomes = [] }
                return (state.outcomes, state.handler)
            }
            guard !outcomes.isEmpty else { return }
            handler?(outcomes)
        }
    }

    package func close() {
        state.withLock { $0.isClosed = true }
        worker.finish()
        state.withLock { $0.handler = nil }
    }
}

extension StoreError {
    /// The store is closed.
    fileprivate static let closed = StoreError(.unavailable, what: "memory", reason: "the store is closed")
}

extension MemoryStore.State {
    /// Takes what waits for the worker, with what the log is now; nil ends the reading.
    mutating func takeWaiting() -> (operations: [StoreOperation], log: MemoryLog)? {
        isReading = !waiting.isEmpty
        guard isReading else { return nil }
        defer { waiting = [] }
        return (waiting, log)
    }

    /// Sessions die with the process, so only publications leave a trace here. The outcome; nil of what takes long to read.
    mutating func apply(_ operation: StoreOperation, _ limits: StoreLimits) -> StoreOutcome? {
        switch operation {
        case .publish(let ticket, let draft):
            guard log.makeRoom(for: draft, within: limits.memoryBytes) else {
                return .failed(ticket, .noRoom(in: "memory"))
            }
            lastSequence += 1
            log.append(draft, sequence: lastSequence)
            return .published(ticket, sequence: lastSequence)
        case .subscribe(let ticket, _, let items, _):
            let hasPast = items.contains(where: \.asksForPast) || log.hasRetained(for: items)
            return .subscribed(ticket, through: lastSequence, hasPast: hasPast)
        case .unsubscribe(let ticket, _, _), .endSession(let ticket, _), .moveCursors(let ticket, _), .pass(let ticket),
            .probe(let ticket):
            return .done(ticket)
        case .readBacklog, .readOn, .readRetained, .readHistory:
            return log.quickOutcome(of: operation)
        }
    }
}

extension MemoryLog {
    /// Carries out an operation that reads, if that does not take long.
    fileprivate func quickOutcome(of operation: StoreOperation) -> StoreOutcome? {
        switch operation {
        case .readBacklog(_, let request, let interest):
            interest.isGone || isQuick(request) ? outcome(of: operation) : nil
        case .readHistory(let ticket, let channel, let after, let limit, let wall):
            quickHistory(of: channel, after: after, limit: limit, wall: wall).map { .backlog(ticket, $0) }
        case .publish, .subscribe, .unsubscribe, .endSession, .moveCursors, .pass, .probe, .readOn, .readRetained:
            outcome(of: operation)
        }
    }

    /// Carries out an operation that reads.
    fileprivate func outcome(of operation: StoreOperation) -> StoreOutcome {
        switch operation {
        case .readBacklog(let ticket, _, let interest) where interest.isGone:
            return .backlog(ticket, Backlog())
        case .readBacklog(let ticket, let request, _):
            var collector = BacklogCollector(limit: request.limit)
            collect(request, into: &collector)
            return .backlog(ticket, collector.firstPage(of: request, read: publication))
        case .readOn(let ticket, let plan):
            return .backlog(ticket, plan.nextPage(read: publication))
        case .readRetained(let ticket, let channel, let wall):
            let publication = retained(of: channel, wall: wall)
            return .backlog(ticket, Backlog(entries: publication.map { [.init($0, isRetained: true)] } ?? []))
        case .readHistory(let ticket, let channel, let after, let limit, let wall):
            return .backlog(ticket, history(of: channel, after: after, limit: limit, wall: wall))
        case .publish, .subscribe, .unsubscribe, .endSession, .moveCursors, .pass, .probe:
            preconditionFailure("Cannot write when there is only a log to read")
        }
    }
}

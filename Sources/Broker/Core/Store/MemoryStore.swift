import Dispatch
import Synchronization

/// A store that keeps everything in memory, until the process ends.
///
/// What is short is done where it is submitted. What may go through all that is kept has a thread of its own, and reads a
/// copy: it holds up neither who submits it nor what writes.
package final class MemoryStore: Store {
    fileprivate struct State {
        var handler: (@Sendable ([StoreOutcome]) -> Void)?
        /// Outcomes that are not handed over yet, and whether some thread is at it.
        var outcomes: [StoreOutcome] = []
        var isDelivering = false
        var lastSequence: UInt64 = 0
        var log = MemoryLog()
    }
    private let state = Mutex(State())
    private let reader = DispatchQueue(label: "fanfare.store.memory")
    private let epoch: String
    private let limits: StoreLimits

    /// An empty store; `epoch` names its log.
    package init(epoch: String, limits: StoreLimits = StoreLimits()) {
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
        hand { state in
            for operation in operations where !operation.isLong {
                state.outcomes.append(state.apply(operation, limits))
            }
        }
        for operation in operations where operation.isLong {
            reader.async { [self] in
                let outcome = state.withLock { $0.log }.outcome(of: operation)
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
        reader.sync {}
        state.withLock { $0.handler = nil }
    }
}

extension MemoryStore.State {
    /// Sessions die with the process, so only publications leave a trace here.
    mutating func apply(_ operation: StoreOperation, _ limits: StoreLimits) -> StoreOutcome {
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
            return log.outcome(of: operation)
        }
    }
}

extension MemoryLog {
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

extension StoreOperation {
    /// Whether it may go through all that is kept.
    fileprivate var isLong: Bool {
        switch self {
        case .readBacklog, .readHistory: true
        case .publish, .subscribe, .unsubscribe, .endSession, .moveCursors, .pass, .probe, .readOn, .readRetained: false
        }
    }
}

import Synchronization

/// A store that keeps everything in memory, until the process ends.
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
        let mustDeliver = state.withLock { state in
            for operation in operations { state.outcomes.append(state.apply(operation, limits)) }
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
        case .readBacklog(let ticket, let request):
            var collector = BacklogCollector(limit: request.limit)
            log.collect(request, into: &collector)
            return .backlog(ticket, collector.firstPage(of: request, read: log.publication))
        case .readOn(let ticket, let plan):
            return .backlog(ticket, plan.nextPage(read: log.publication))
        case .readRetained(let ticket, let channel, let wall):
            let publication = log.retained(of: channel, wall: wall)
            return .backlog(ticket, Backlog(entries: publication.map { [.init($0, isRetained: true)] } ?? []))
        case .readHistory(let ticket, let channel, let after, let limit, let wall):
            return .backlog(ticket, log.history(of: channel, after: after, limit: limit, wall: wall))
        }
    }
}

import Synchronization

/// A store that keeps everything in memory, until the process ends.
package final class MemoryStore: Store {
    private let state = Mutex(MemoryStoreState())
    private let epoch: String

    /// An empty store; `epoch` names its log.
    package init(epoch: String) {
        self.epoch = epoch
    }

    package func open(handler: @escaping @Sendable ([StoreOutcome]) -> Void) throws(StoreError) -> StoredState {
        state.withLock { $0.handler = handler }
        return StoredState(epoch: epoch, sessions: [])
    }

    package func submit(_ operations: [StoreOperation]) {
        let mustDeliver = state.withLock { state in
            for operation in operations { state.outcomes.append(state.apply(operation)) }
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

/// What a memory store holds.
private struct MemoryStoreState {
    struct Retained {
        let publication: StoredPublication
        let expiresAt: Int64?

        func isLive(at wall: Int64) -> Bool { expiresAt.map { $0 > wall } ?? true }
    }
    var handler: (@Sendable ([StoreOutcome]) -> Void)?
    /// Outcomes that are not handed over yet, and whether some thread is at it.
    var outcomes: [StoreOutcome] = []
    var isDelivering = false
    var lastSequence: UInt64 = 0
    var retained: [ChannelName: Retained] = [:]

    /// Sessions die with the process, so only publications leave a trace here.
    mutating func apply(_ operation: StoreOperation) -> StoreOutcome {
        switch operation {
        case .publish(let ticket, let draft):
            lastSequence += 1
            switch draft.retention {
            case .replace:
                let stored = StoredPublication(sequence: lastSequence, channel: draft.channel, data: draft.data)
                retained[draft.channel] = .init(publication: stored, expiresAt: draft.expiresAt)
            case .clear:
                retained[draft.channel] = nil
            }
            return .published(ticket, sequence: lastSequence)
        case .subscribe(let ticket, _, let patterns, let wall):
            let matching = retained.values.filter { entry in
                entry.isLive(at: wall) && patterns.contains { $0.matches(entry.publication.channel) }
            }
            return .retained(ticket, matching.map(\.publication).sorted { $0.sequence < $1.sequence })
        case .readRetained(let ticket, let channel, let wall):
            let entry = retained[channel].flatMap { $0.isLive(at: wall) ? $0.publication : nil }
            return .retained(ticket, entry.map { [$0] } ?? [])
        case .unsubscribe(let ticket, _, _), .endSession(let ticket, _), .pass(let ticket):
            return .done(ticket)
        }
    }
}

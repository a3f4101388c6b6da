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
    struct Kept {
        let publication: StoredPublication
        let expiresAt: Int64?

        func isLive(at wall: Int64) -> Bool { expiresAt.map { $0 > wall } ?? true }
    }
    struct History {
        var entries: ArraySlice<Kept> = []
        /// The last one that made room.
        var trimmedThrough: UInt64 = 0
    }
    var handler: (@Sendable ([StoreOutcome]) -> Void)?
    /// Outcomes that are not handed over yet, and whether some thread is at it.
    var outcomes: [StoreOutcome] = []
    var isDelivering = false
    var lastSequence: UInt64 = 0
    var retained: [ChannelName: Kept] = [:]
    var histories: [ChannelName: History] = [:]

    /// Sessions die with the process, so only publications leave a trace here.
    mutating func apply(_ operation: StoreOperation) -> StoreOutcome {
        switch operation {
        case .publish(let ticket, let draft):
            publish(draft)
            return .published(ticket, sequence: lastSequence)
        case .subscribe(let ticket, _, let items, let limits, let wall):
            var backlog = BacklogBuilder(limits: limits)
            for item in items { read(item, wall: wall, into: &backlog) }
            return .backlog(ticket, backlog.finish())
        case .readRetained(let ticket, let channel, let wall):
            let kept = retained[channel].flatMap { $0.isLive(at: wall) ? $0.publication : nil }
            return .backlog(ticket, Backlog(entries: kept.map { [.init($0, isRetained: true)] } ?? []))
        case .readHistory(let ticket, let channel, let after, let limit, let wall):
            let live = histories[channel]?.entries.filter { $0.publication.sequence > after && $0.isLive(at: wall) }
            let entries = (live ?? []).prefix(limit).map { Backlog.Entry($0.publication, isRetained: false) }
            return .backlog(ticket, Backlog(entries: Array(entries), losses: loss(of: channel, after: after)))
        case .unsubscribe(let ticket, _, _), .endSession(let ticket, _), .pass(let ticket):
            return .done(ticket)
        }
    }

    private mutating func publish(_ draft: PublicationDraft) {
        lastSequence += 1
        let stored = StoredPublication(
            sequence: lastSequence, channel: draft.channel, data: draft.data, isBinary: draft.isBinary)
        switch draft.retention {
        case .replace: retained[draft.channel] = Kept(publication: stored, expiresAt: draft.expiresAt)
        case .clear: retained[draft.channel] = nil
        case nil: break
        }
        guard let history = draft.history else { return }
        let until = min(history.until, draft.expiresAt ?? .max)
        histories[draft.channel, default: History()].entries.append(Kept(publication: stored, expiresAt: until))
        while let count = histories[draft.channel]?.entries.count, count > history.count {
            guard let oldest = histories[draft.channel]?.entries.popFirst() else { return }
            histories[draft.channel]?.trimmedThrough = oldest.publication.sequence
        }
    }

    private func read(_ item: SubscriptionItem, wall: Int64, into backlog: inout BacklogBuilder) {
        let start: UInt64
        switch item.replay {
        case .newOnly: return
        case nil, .everything: start = 0
        case .after(let sequence): start = sequence
        }
        for (channel, kept) in retained where item.pattern.matches(channel) && kept.isLive(at: wall) {
            if kept.publication.sequence > start { backlog.add(kept.publication, isRetained: true) }
        }
        guard item.replay != nil else { return }
        for (channel, history) in histories where item.pattern.matches(channel) {
            for kept in history.entries where kept.publication.sequence > start && kept.isLive(at: wall) {
                backlog.add(kept.publication, isRetained: false)
            }
            if case .after = item.replay { for loss in loss(of: channel, after: start) { backlog.add(loss) } }
        }
    }

    private func loss(of channel: ChannelName, after sequence: UInt64) -> [Backlog.Loss] {
        guard let through = histories[channel]?.trimmedThrough, through > sequence else { return [] }
        return [Backlog.Loss(channel, Gap(sequences: sequence + 1...through))]
    }
}

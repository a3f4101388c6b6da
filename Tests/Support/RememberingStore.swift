package import BrokerCore
import Synchronization

/// A store in memory that remembers sessions as one on a disk does: what a broker that is killed leaves behind.
package final class RememberingStore: Store {
    private struct State {
        var sessions: [String: StoredState.Session] = [:]
        var subscribing: [StoreTicket: (StoredState.Session, [SubscriptionItem])] = [:]
    }
    private let store = MemoryStore(epoch: "log")
    private let state = Mutex(State())

    /// Nothing to remember yet.
    package init() {}

    /// The sessions as they would be found by the next run.
    package var sessions: [StoredState.Session] {
        state.withLock { $0.sessions.values.sorted { $0.clientID < $1.clientID } }
    }

    package func open(handler: @escaping @Sendable ([StoreOutcome]) -> Void) throws(StoreError) -> StoredState {
        try store.open { [weak self] outcomes in
            self?.note(outcomes)
            handler(outcomes)
        }
    }

    package func submit(_ operations: [StoreOperation]) {
        state.withLock { state in
            for operation in operations {
                switch operation {
                case .subscribe(let ticket, let session?, let items, _): state.subscribing[ticket] = (session, items)
                case .unsubscribe(_, let clientID, let patterns):
                    for pattern in patterns {
                        state.sessions[clientID]?.subscriptions[pattern] = nil
                        state.sessions[clientID]?.replays[pattern] = nil
                    }
                case .endSession(_, let clientID): state.sessions[clientID] = nil
                case .moveCursors(_, let all): for progress in all { state.sessions[progress.clientID]?.move(progress) }
                default: break
                }
            }
        }
        store.submit(operations)
    }

    private func note(_ outcomes: [StoreOutcome]) {
        state.withLock { state in
            for case .subscribed(let ticket, let through, let hasPast) in outcomes {
                guard let (session, items) = state.subscribing.removeValue(forKey: ticket) else { continue }
                var stored = state.sessions[session.clientID] ?? session
                stored.subscriptions.merge(session.subscriptions) { earlier, _ in earlier }
                for (pattern, replay) in session.replays where stored.subscriptions[pattern] != nil {
                    stored.replays[pattern] = stored.replays[pattern].map(replay.joined) ?? replay
                }
                stored.subscribe(to: items, through: through, part: hasPast ? session.part : nil)
                stored.part = 0
                state.sessions[session.clientID] = stored
            }
        }
    }

    /// The same store goes on: a router that is gone does not close it.
    package func close() {}
}

extension StoredState.Session {
    fileprivate mutating func subscribe(to items: [SubscriptionItem], through: UInt64, part: Int64?) {
        for item in items {
            if subscriptions[item.pattern] == nil { subscriptions[item.pattern] = through }
            guard let part, let replay = PendingReplay(of: item, through: through, part: part) else { continue }
            replays[item.pattern] = replays[item.pattern].map(replay.joined) ?? replay
        }
    }

    fileprivate mutating func move(_ progress: SessionProgress) {
        let part = part
        self = StoredState.Session(
            clientID: clientID, subscriptions: subscriptions, cursor: progress.cursor, acknowledges: acknowledges,
            replays: replays)
        self.part = part
        for replayed in progress.replayed {
            guard var replay = replays[replayed.pattern], replay.position >= replayed.after,
                replay.point == nil || replayed.retainedPart ?? replay.part == replay.part
            else { continue }
            replay.position = max(replay.position, replayed.through)
            replays[replayed.pattern] = replay.through > replayed.through ? replay : nil
        }
    }
}

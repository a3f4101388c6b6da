import Synchronization

/// Counts the connections of all listeners and event loops.
final class ConnectionCounter: Sendable {
    /// What becomes of a connection.
    enum Verdict {
        case admitted
        /// Its first request is told that there are too many.
        case refused
        /// It is closed at once, and not counted.
        case closed
    }
    private let maximum: Atomic<Int>
    private let count = Atomic(0)
    private let refused = Atomic(0)

    init(limit: Int) {
        maximum = Atomic(limit)
    }

    /// How many there may be.
    var limit: Int { maximum.load(ordering: .relaxed) }

    /// Changes that. Connections beyond it that are open go on.
    func set(limit: Int) {
        maximum.store(limit, ordering: .relaxed)
    }

    /// Connections now.
    var current: Int { count.load(ordering: .relaxed) }

    /// Connections that were not let in.
    var refusedCount: Int { refused.load(ordering: .relaxed) }

    /// One more; unless it is `closed`, `leave` is to be called when it is gone.
    func enter() -> Verdict {
        let limit = limit
        let number = count.add(1, ordering: .relaxed).newValue
        guard number > limit else { return .admitted }
        refused.add(1, ordering: .relaxed)
        // Descriptors for a few that are told.
        if number - limit <= min(max(limit / 16, 1), 256) { return .refused }
        leave()
        return .closed
    }

    func leave() {
        count.subtract(1, ordering: .relaxed)
    }
}

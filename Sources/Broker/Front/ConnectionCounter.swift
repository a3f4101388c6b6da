import Synchronization

/// Counts the connections of all listeners and event loops.
final class ConnectionCounter: Sendable {
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

    /// Whether one more is let in.
    func enter() -> Bool {
        guard count.add(1, ordering: .relaxed).newValue > limit else { return true }
        leave()
        refused.add(1, ordering: .relaxed)
        return false
    }

    func leave() {
        count.subtract(1, ordering: .relaxed)
    }
}

/// A connection beyond the limit.
struct TooManyConnections: Error {}

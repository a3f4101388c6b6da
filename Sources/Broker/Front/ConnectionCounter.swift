import Synchronization

/// Counts the connections of all listeners and loops.
final class ConnectionCounter: Sendable {
    private let limit: Int
    private let count = Atomic(0)

    init(limit: Int) {
        self.limit = limit
    }

    /// Connections now.
    var current: Int { count.load(ordering: .relaxed) }

    /// Whether one more is let in.
    func enter() -> Bool {
        guard count.add(1, ordering: .relaxed).newValue > limit else { return true }
        leave()
        return false
    }

    func leave() {
        count.subtract(1, ordering: .relaxed)
    }
}

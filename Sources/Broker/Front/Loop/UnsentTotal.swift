import Synchronization

/// The memory that waits in the connections of all event loops, and how much that may be.
///
/// Each loop adds its own and looks whether it is too much. Those that keep more than their part have somebody to close then,
/// and there is always one of them: so a loop on which little waits closes nobody for what waits on another.
final class UnsentTotal: Sendable {
    private let limit: Int
    /// The part of each loop.
    let share: Int
    private let keptBytes = Atomic<Int>(0)
    private let connectionCount = Atomic<Int>(0)

    /// Nothing; more than `limit` of memory is too much for so many loops together.
    init(limit: Int, loopCount: Int) {
        self.limit = limit
        share = limit / max(loopCount, 1)
    }

    /// Whether somebody has to go. One alone has a bound of its own.
    var isTooMuch: Bool {
        keptBytes.load(ordering: .relaxed) > limit && connectionCount.load(ordering: .relaxed) > 1
    }

    /// A loop keeps so much more, or less.
    func add(_ byteCount: Int) {
        keptBytes.add(byteCount, ordering: .relaxed)
    }

    /// Something begins to wait for a connection.
    func enter() {
        connectionCount.add(1, ordering: .relaxed)
    }

    /// Nothing waits for it any more.
    func leave() {
        connectionCount.subtract(1, ordering: .relaxed)
    }
}

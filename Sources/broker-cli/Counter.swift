import Synchronization

/// Counts, from any thread.
final class Counter: Sendable {
    private let value = Atomic<Int>(0)

    /// The next number; 1 is the first.
    @discardableResult
    func next() -> Int { value.add(1, ordering: .relaxed).newValue }

    func add(_ count: Int) { value.add(count, ordering: .relaxed) }

    var current: Int { value.load(ordering: .relaxed) }
}

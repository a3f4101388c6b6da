import Synchronization

/// Counts, from any thread.
final class Counter: Sendable {
    private let value = Atomic<Int>(0)

    /// The next number; 1 is the first.
    @discardableResult
    func next() -> Int { value.add(1, ordering: .relaxed).newValue }

    var current: Int { value.load(ordering: .relaxed) }
}

/// Which signal asked to stop, if one did.
final class StopCause: Sendable {
    private let number = Atomic<Int32>(0)

    var signal: Int32? {
        let number = number.load(ordering: .relaxed)
        return number == 0 ? nil : number
    }

    func set(_ signal: Int32) { number.store(signal, ordering: .relaxed) }
}

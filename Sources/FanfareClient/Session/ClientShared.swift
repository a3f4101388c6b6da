import Synchronization

/// What the event loop and the client's callers share.
final class ClientShared: Sendable {
    private struct Listeners {
        var continuations: [AsyncStream<ConnectionState>.Continuation] = []
        var isOver = false
    }
    private let listeners = Mutex(Listeners())
    private let buffered = Atomic<Int>(0)

    var bufferedBytes: Int { buffered.load(ordering: .relaxed) }

    func add(_ bytes: Int) { buffered.add(bytes, ordering: .relaxed) }

    /// Whether that made it fall below the mark.
    func remove(_ bytes: Int, resumesBelow mark: Int) -> Bool {
        let (old, new) = buffered.subtract(bytes, ordering: .relaxed)
        return old >= mark && new < mark
    }

    func states() -> AsyncStream<ConnectionState> {
        let (stream, continuation) = AsyncStream.makeStream(of: ConnectionState.self)
        let isOver = listeners.withLock { listeners in
            if !listeners.isOver { listeners.continuations.append(continuation) }
            return listeners.isOver
        }
        if isOver { continuation.finish() }
        return stream
    }

    func tell(_ state: ConnectionState) {
        let continuations = listeners.withLock { listeners in
            if case .closed = state { listeners.isOver = true }
            return listeners.continuations
        }
        for continuation in continuations {
            continuation.yield(state)
            if case .closed = state { continuation.finish() }
        }
    }
}

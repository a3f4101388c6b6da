import BrokerCore
import Synchronization

/// What a client in the broker's own process was given and its reader has not taken yet.
///
/// The router is told of it as by an event loop of a connection: while it is too much, messages wait with the session,
/// within the bounds of its queue, until little is left here.
package final class UnreadLoad: Sendable {
    private struct State {
        var byteCount = 0
        /// Whether the router knows that it is too much.
        var isCongested = false
        /// Whether the router wants to know when little is left.
        var isAwaited = false
        var isOver = false
    }
    private let state = Mutex(State())
    private let connection: ConnectionID
    private let router: Mailbox<RouterInput>?
    private let congestedBytes: Int

    /// Nothing yet; more than `congestedBytes` are too much.
    init(of connection: ConnectionID, router: Mailbox<RouterInput>?, congestedBytes: Int) {
        self.connection = connection
        self.router = router
        self.congestedBytes = congestedBytes
    }

    /// More is given; to be said before the reader can take it.
    package func add(_ count: Int) {
        // The router is told under the lock: what it hears last is how it is.
        state.withLock { state in
            state.byteCount += count
            guard state.byteCount > congestedBytes, !state.isCongested, !state.isOver else { return }
            state.isCongested = true
            state.isAwaited = true
            router?.send([.congested(connection)])
        }
    }

    /// Some was taken.
    package func remove(_ count: Int) {
        state.withLock { state in
            state.byteCount -= count
            relieve(&state)
        }
    }

    /// The router wants to know when little is left, which may be now.
    func awaitDrain() {
        state.withLock { state in
            state.isAwaited = true
            relieve(&state)
        }
    }

    /// The client is gone: the router hears nothing more, for the slot may soon be another one's.
    func end() {
        state.withLock { $0.isOver = true }
    }

    private func relieve(_ state: inout State) {
        guard state.isAwaited, !state.isOver, state.byteCount <= min(Outbound.drainedBytes, congestedBytes) else {
            return
        }
        state.isAwaited = false
        state.isCongested = false
        router?.send([.drained(connection)])
    }
}

/// Counts a connection as long as it is open: among all, and among those of its listener. All connections of a listener share
/// one, so that none of them needs memory for it.
final class Presence: Sendable {
    private let all: ConnectionCounter
    private let listener: ListenerCounter?

    init(among all: ConnectionCounter, of listener: ListenerCounter?) {
        self.all = all
        self.listener = listener
    }

    /// Counts one more, unless it is to be closed.
    func begin() -> ConnectionCounter.Verdict {
        let verdict = all.enter()
        if verdict != .closed { listener?.enter() }
        return verdict
    }

    /// One is closed that was counted.
    func end() {
        all.leave()
        listener?.leave()
    }
}

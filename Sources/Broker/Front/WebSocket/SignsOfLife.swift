import BrokerCore

/// What is heard of the peer of an open WebSocket. Instants: ns, monotonic.
///
/// A sign of life is what is whole: a message, a ping or a pong; and the pieces of a message while it may take its time,
/// for no pong can come within a frame.
struct SignsOfLife {
    /// How the peer is.
    enum Verdict {
        case alive
        /// A message takes too long.
        case messageOverdue
        /// Nothing was heard for so long that it is to be asked.
        case silent(since: UInt64)
        /// It was asked, and has not answered in time.
        case dead
    }
    private var lastHeard: UInt64
    private var pingedAt: UInt64?
    /// When the message began that is not complete.
    private var messageBegan: UInt64?
    /// Whether anything was heard since the last look.
    private var hasHeard = true

    init(now: UInt64) { lastHeard = now }

    /// The driver has read something. When that is the first sign of life since a ping: how long it took (ns). The clock
    /// is looked at only when its time matters.
    mutating func hear(_ events: DriverEvents, isWithinMessage: Bool) -> UInt64? {
        if isWithinMessage {
            if events.hasMessage || messageBegan == nil { messageBegan = SystemClock.monotonic }
        } else {
            messageBegan = nil
            guard events.isAlive else { return nil }
        }
        hasHeard = true
        guard let ping = pingedAt else { return nil }
        pingedAt = nil
        lastHeard = SystemClock.monotonic
        return lastHeard - ping
    }

    /// The peer was sent a ping.
    mutating func ping(now: UInt64) {
        pingedAt = now
    }

    /// How the peer is; of one that is not read from (`isPaused`) nothing can be heard.
    mutating func judge(
        now: UInt64, isPaused: Bool, messageTimeout: Duration, pongTimeout: Duration, pingInterval: Duration
    ) -> Verdict {
        if isPaused, messageBegan != nil { messageBegan = now }
        if let messageBegan, now - min(now, messageBegan) >= messageTimeout.nanosecondsClamped {
            return .messageOverdue
        }
        if hasHeard || isPaused {
            hasHeard = false
            lastHeard = now
            pingedAt = nil
            return .alive
        }
        if let pingedAt { return now - pingedAt >= pongTimeout.nanosecondsClamped ? .dead : .alive }
        return now - lastHeard >= pingInterval.nanosecondsClamped ? .silent(since: lastHeard) : .alive
    }
}

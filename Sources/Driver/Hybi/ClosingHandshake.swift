/// The closing handshake (RFC 6455 §7.1), a pure value: no clock, no buffer, no socket. Instants: ns, monotonic.
///
/// Rules: each side sends at most one Close frame; ours echoes the peer's code unless ours went first; a violation
/// or the end of the stream ends it at once; the first code stays. An action with `endStream` comes exactly once.
enum ClosingHandshake: ~Copyable {
    case open
    case closeSent(deadline: UInt64)
    case closed(CloseCode)

    /// All that the caller must do next. Values only (no promise, no closure), hence `Equatable`.
    enum Action: Equatable, Sendable {
        case sendClose(CloseCode, endStream: Bool)
        case endStream
        case none
    }

    /// The owner closes: the peer has until `deadline` to answer.
    mutating func close(_ code: CloseCode, deadline: UInt64) -> Action {
        switch consume self {
        case .open:
            self = .closeSent(deadline: deadline)
            return .sendClose(code, endStream: false)
        case .closeSent(let first):
            self = .closeSent(deadline: first)
            return .none
        case .closed(let first):
            self = .closed(first)
            return .none
        }
    }

    /// A Close frame arrived: echo its code, unless ours went first (RFC 6455 §5.5.1).
    mutating func receiveClose(_ code: CloseCode) -> Action {
        switch consume self {
        case .open:
            self = .closed(code)
            return .sendClose(code, endStream: true)
        case .closeSent:
            self = .closed(code)
            return .endStream
        case .closed(let first):
            self = .closed(first)
            return .none
        }
    }

    /// The peer broke the protocol: say so if we still can, and wait for nothing (RFC 6455 §7.1.7).
    mutating func fail(_ code: CloseCode) -> Action {
        switch consume self {
        case .open:
            self = .closed(code)
            return .sendClose(code, endStream: true)
        case .closeSent:
            self = .closed(code)
            return .endStream
        case .closed(let first):
            self = .closed(first)
            return .none
        }
    }

    /// The peer's stream ended: 1006, if there was no Close frame (RFC 6455 §7.1.5).
    mutating func receiveEnd() -> Action {
        switch consume self {
        case .open:
            self = .closed(.abnormal)
            return .endStream
        case .closeSent:
            self = .closed(.abnormal)
            return .endStream
        case .closed(let first):
            self = .closed(first)
            return .none
        }
    }

    /// Time passed: a peer that has not answered by the deadline is given up.
    mutating func advance(to now: UInt64) -> Action {
        switch consume self {
        case .open:
            self = .open
            return .none
        case .closeSent(let deadline) where deadline <= now:
            self = .closed(.abnormal)
            return .endStream
        case .closeSent(let deadline):
            self = .closeSent(deadline: deadline)
            return .none
        case .closed(let first):
            self = .closed(first)
            return .none
        }
    }

    var state: DriverState {
        switch self {
        case .open: .open
        case .closeSent: .closing
        case .closed: .closed
        }
    }

    var deadline: UInt64? {
        switch self {
        case .closeSent(let deadline): deadline
        case .open: nil
        case .closed: nil
        }
    }
}

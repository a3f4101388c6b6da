/// How a session is reached (Bayeux 1.0 `/meta/connect`), a pure value: no clock, no buffer, no socket.
///
/// A session has at most one connect under way. Over a WebSocket the socket is bound to the session by its connect:
/// messages go out at once and the connect is held as a sign of life. Over HTTP, and wherever the client acknowledges,
/// messages go out with the answer to the held connect. A second connect has the first answered at once, so that none
/// is ever left without an answer.
package enum SessionLink: ~Copyable {
    /// Nothing to write to: messages wait in the session's queue.
    case away
    /// A connect is held whose answer carries messages.
    case polling(HeldConnect)
    /// A WebSocket or an event stream is bound, no connect is held.
    case attached(ConnectionID)
    /// A WebSocket is bound and its connect is held.
    case holding(HeldConnect)

    /// What to do when a connect has arrived.
    package struct ConnectAction: Equatable, Sendable {
        /// An older connect, to be answered now and without messages.
        package var answerOlder: HeldConnect?
        /// The WebSocket that was bound until now.
        package var detach: ConnectionID?
        /// The WebSocket that is bound from now on.
        package var attach: ConnectionID?
        /// Whether the new connect is to be answered now; else it is held.
        package var answer = false
    }

    /// A valid connect arrived. It is answered at once when `mustAnswer`, and when it comes over a socket that was not
    /// bound before (a client that opens or resumes waits for it); else it is held.
    package mutating func receiveConnect(_ connect: HeldConnect, mustAnswer: Bool) -> ConnectAction {
        var action = ConnectAction()
        let socket: ConnectionID?
        switch consume self {
        case .away:
            socket = nil
        case .polling(let older):
            socket = nil
            action.answerOlder = older
        case .attached(let connection):
            socket = connection
        case .holding(let older):
            socket = older.peer.connection
            action.answerOlder = older
        }
        if connect.isPoll {
            action.detach = socket
            action.answer = mustAnswer
            self = mustAnswer ? .away : .polling(connect)
        } else {
            let connection = connect.peer.connection
            if socket != connection {
                action.detach = socket
                action.attach = connection
            }
            action.answer = mustAnswer || action.attach != nil
            self = action.answer ? .attached(connection) : .holding(connect)
        }
        return action
    }

    /// An event stream was opened for the session: messages go there from now on. The older connect that has to be
    /// answered, and what was bound until now.
    package mutating func attach(_ stream: ConnectionID) -> (held: HeldConnect?, detached: ConnectionID?) {
        let (held, bound) = release()
        self = .attached(stream)
        return (held, bound)
    }

    /// A message was queued: the connect that can carry it now, if one is held.
    package mutating func takePoll() -> HeldConnect? {
        switch consume self {
        case .away:
            self = .away
            return nil
        case .polling(let held):
            self = .away
            return held
        case .attached(let connection):
            self = .attached(connection)
            return nil
        case .holding(let held):
            self = .holding(held)
            return nil
        }
    }

    /// Time has come to `now` (ns, monotonic): the held connect whose time is up.
    package mutating func advance(to now: UInt64) -> HeldConnect? {
        switch consume self {
        case .away:
            self = .away
            return nil
        case .polling(let held):
            guard held.deadline <= now else {
                self = .polling(held)
                return nil
            }
            self = .away
            return held
        case .attached(let connection):
            self = .attached(connection)
            return nil
        case .holding(let held):
            guard held.deadline <= now else {
                self = .holding(held)
                return nil
            }
            self = .attached(held.peer.connection)
            return held
        }
    }

    /// A connection is gone; whether it was the one of this session. What it held is not answered: nobody reads it.
    package mutating func receiveClose(of connection: ConnectionID) -> Bool {
        switch consume self {
        case .away:
            self = .away
            return false
        case .polling(let held):
            let ours = held.peer.connection == connection
            self = ours ? .away : .polling(held)
            return ours
        case .attached(let bound):
            let ours = bound == connection
            self = ours ? .away : .attached(bound)
            return ours
        case .holding(let held):
            let ours = held.peer.connection == connection
            self = ours ? .away : .holding(held)
            return ours
        }
    }

    /// The session ends, or its socket turns to another session: what was held and which socket was bound.
    package mutating func release() -> (held: HeldConnect?, socket: ConnectionID?) {
        switch consume self {
        case .away:
            self = .away
            return (nil, nil)
        case .polling(let held):
            self = .away
            return (held, nil)
        case .attached(let connection):
            self = .away
            return (nil, connection)
        case .holding(let held):
            self = .away
            return (held, held.peer.connection)
        }
    }

    /// Where messages go as they come: the socket or event stream that is bound.
    package var connection: ConnectionID? {
        switch self {
        case .attached(let connection): connection
        case .holding(let held): held.peer.connection
        case .away: nil
        case .polling: nil
        }
    }

    /// When the held connect has to be answered.
    package var deadline: UInt64? {
        switch self {
        case .polling(let held): held.deadline
        case .holding(let held): held.deadline
        case .away: nil
        case .attached: nil
        }
    }
}

/// A `/meta/connect` that is not answered yet.
package struct HeldConnect: Equatable, Sendable {
    /// Where the answer goes.
    package let peer: Peer
    /// Whether messages for the session travel with the answer; else they go out at once.
    package let isPoll: Bool
    /// The id that its answer repeats, as JSON; nothing if it has none.
    package let id: String
    /// What its `ext` says.
    package let extensions: ReplyExtension
    /// When it is answered whatever happens (ns, monotonic).
    package let deadline: UInt64

    /// A connect to hold until `deadline`.
    package init(peer: Peer, isPoll: Bool, id: String, extensions: ReplyExtension = .init(), deadline: UInt64) {
        self.peer = peer
        self.isPoll = isPoll
        self.extensions = extensions
        self.id = id
        self.deadline = deadline
    }
}

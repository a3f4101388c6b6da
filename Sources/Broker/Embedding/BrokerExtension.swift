/// Sees what passes through a broker, and can change, refuse or drop it (Faye's extensions).
///
/// Both functions are called on the threads that serve connections: they must not wait for anything. With several
/// extensions each sees what the one before has left, in the order in which they were added.
public protocol BrokerExtension: Sendable {
    /// A message of a client, before the broker looks at it. By default it goes on. Who publishes or reads by plain HTTP
    /// (`/channels/…`) is shown as the message that asks for the same: of a subscription only a refusal counts there.
    ///
    /// One that is refused is answered with `error`, as `code:arguments:text`. A refused handshake or connect has the
    /// client stay away. One that is dropped is answered `404::message_deleted`.
    func incoming(_ message: inout BayeuxMessage, from sender: MessageSender) -> IncomingVerdict

    /// A reply, or a message to subscribers, before it is written; false drops it. By default it goes on.
    ///
    /// A publication comes once for many subscribers. Dropping the reply to a request leaves its client without answer.
    func outgoing(_ message: inout BayeuxMessage) -> Bool
}

extension BrokerExtension {
    /// Goes on.
    public func incoming(_ message: inout BayeuxMessage, from sender: MessageSender) -> IncomingVerdict { .accept }
    /// Goes on.
    public func outgoing(_ message: inout BayeuxMessage) -> Bool { true }
}

/// What becomes of a client's message.
public enum IncomingVerdict: Sendable, Equatable {
    /// It goes on, as it now is.
    case accept
    /// It is refused with this error.
    case refuse(String)
    /// It is not processed.
    case drop
}

/// Where a client's message came from.
public struct MessageSender: Sendable, Equatable {
    /// How it came.
    public enum Transport: String, Sendable {
        /// Over a WebSocket.
        case webSocket = "websocket"
        /// With an HTTP request, of whatever transport.
        case http = "long-polling"
        /// From a client of the embedding program.
        case inProcess = "in-process"
    }
    /// How it came.
    public let transport: Transport
}

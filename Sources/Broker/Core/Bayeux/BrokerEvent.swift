/// What happened in the broker, for those who watch it (Faye's monitoring events).
package enum BrokerEvent: Sendable, Equatable {
    /// A client shook hands.
    case handshake(clientID: String)
    /// A session is subscribed to a channel or pattern that it was not subscribed to before.
    case subscribe(clientID: String, pattern: String)
    /// A session is not subscribed any more, also because it ended.
    case unsubscribe(clientID: String, pattern: String)
    /// A publication was taken. `clientID` is what its publisher says, unchecked; `data` is JSON.
    case publish(clientID: String?, channel: String, data: [UInt8])
    /// A session ended.
    case disconnect(clientID: String)
}

/// What the router does for a program that embeds the broker.
package struct Embedding: Sendable {
    /// The channels below `/service` that are answered.
    package var services: Set<String>
    /// Whether anybody watches.
    package var isObserved: Bool

    /// Nothing.
    package init(services: Set<String> = [], isObserved: Bool = false) {
        self.services = services
        self.isObserved = isObserved
    }
}

/// Connects a call of a service with its answer; the router chooses it.
package typealias CallTicket = UInt64

/// A message to a service, which is to be answered with `Router.finishService`.
package struct ServiceCall: Sendable, Equatable {
    /// Names the call in the answer.
    package let ticket: CallTicket
    /// The session that the message names, if there is such a one.
    package let clientID: String?
    package let channel: ChannelName
    /// JSON.
    package let data: [UInt8]
}

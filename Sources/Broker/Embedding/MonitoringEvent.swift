import BrokerCore

/// What happened in a broker (Faye's monitoring events).
public enum MonitoringEvent: Sendable, Equatable {
    /// A client shook hands.
    case handshake(clientID: String)
    /// A session is subscribed to a channel or pattern that it was not subscribed to before.
    case subscribe(clientID: String, channel: String)
    /// A session is not subscribed any more, also because it ended.
    case unsubscribe(clientID: String, channel: String)
    /// A publication was taken; `clientID` is what its publisher says, unchecked, and `data` JSON.
    case publish(clientID: String?, channel: String, data: [UInt8])
    /// A session ended: it said goodbye, or did not come back in time.
    case disconnect(clientID: String)

    init(_ event: BrokerEvent) {
        switch event {
        case .handshake(let clientID): self = .handshake(clientID: clientID)
        case .subscribe(let clientID, let pattern): self = .subscribe(clientID: clientID, channel: pattern)
        case .unsubscribe(let clientID, let pattern): self = .unsubscribe(clientID: clientID, channel: pattern)
        case .publish(let clientID, let channel, let data):
            self = .publish(clientID: clientID, channel: channel, data: data)
        case .disconnect(let clientID): self = .disconnect(clientID: clientID)
        }
    }
}

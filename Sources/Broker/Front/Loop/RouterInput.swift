import BrokerCore

/// What the router hears from an event loop that is not its own, and from the store.
enum RouterInput: Sendable {
    /// A Bayeux batch with the text that it was cut from.
    case batch([Envelope], text: [UInt8], Peer, Caller?)
    /// A publication over HTTP: one valid JSON value.
    case publish([UInt8], ChannelName, PublishOptions, ConnectionID, Caller?)
    case readRetained(ChannelName, ConnectionID, Caller?)
    case readHistory(ChannelName, HistoryRange, ConnectionID, Caller?)
    case ask(AdminQuery, ConnectionID)
    /// An event stream of a session, by client id.
    case openSessionStream(String, ConnectionID, Caller?)
    /// An event stream of channels.
    case openChannelStream([SubscriptionItem], ConnectionID, AddressClass, Caller?)
    case close(ConnectionID, ConnectionEnd)
    /// The broker stops, and the other side of a connection has taken all that was written to it.
    case parted(ConnectionID)
    /// A connection does not take what is written to it.
    case congested(ConnectionID)
    /// Most of what was written to a connection is gone.
    case drained(ConnectionID)
    /// These tokens do not count any more.
    case revoked([Revocations.Entry])
    case outcomes([StoreOutcome])
    /// A service has answered.
    case answered(CallTicket, Result<[UInt8], BayeuxError>)

    /// Messages in it.
    var messageCount: Int {
        if case .batch(let batch, _, _, _) = self { batch.count } else { 1 }
    }

    /// Whose share of time it takes, and on which loop that is kept; nil where it is not limited.
    var payer: (address: IPAddress, loop: UInt32)? {
        switch self {
        case .batch(_, _, let peer, let caller): caller?.address.map { ($0, peer.connection.loop) }
        case .publish(_, _, _, let connection, let caller), .readRetained(_, let connection, let caller),
            .readHistory(_, _, let connection, let caller), .openSessionStream(_, let connection, let caller),
            .openChannelStream(_, let connection, _, let caller):
            caller?.address.map { ($0, connection.loop) }
        case .ask, .close, .parted, .congested, .drained, .revoked, .outcomes, .answered: nil
        }
    }
}

/// What an event loop that is not the router's has to do.
enum ShardCommand: Sendable {
    /// Replies, JSON objects separated by commas.
    case reply(slot: UInt32, [UInt8])
    /// When the router took it in: ns, monotonic.
    case deliver(Publication, to: Recipients, acceptedAt: UInt64)
    case push(Publication, slot: UInt32)
    case finish(slot: UInt32)
    case close(slot: UInt32)
    case release(slot: UInt32)
    case cut(slot: UInt32)
    /// The router has seen to so many messages that an address has sent, and wants nothing more of it before that instant
    /// (ns, monotonic).
    case settle(IPAddress, for: Int, notBefore: UInt64)
    case pause(slot: UInt32)
    case resume(slot: UInt32)
    case awaitDrain(slot: UInt32)
    /// The router has taken in most of what was sent to it.
    case readOn
    case receipt(slot: UInt32, Result<PublishReceipt, BayeuxError>)
    case retained(slot: UInt32, Result<StoredPublication?, BayeuxError>)
    case history(slot: UInt32, Result<[Publication], BayeuxError>)
    case report(slot: UInt32, AdminAnswer)
    case open(slot: UInt32)
    case refuse(slot: UInt32, BayeuxError)
}

/// What the router does when the store is through with an operation.
enum PendingOperation {
    indirect case publish(Publisher, PublicationDraft)
    /// A publication that is not stored, behind others that are; without one, only its publisher is told.
    case pass(BayeuxPublisher, PassingPublication?)
    case subscribe(SubscriptionChange)
    case unsubscribe(SubscriptionChange)
    /// Something that nobody waits for: sessions that ended or came further.
    case note
    /// Somebody wants to know whether the store can write.
    case probe
    /// The store is told of a session whose publications it is to know again, or of subscriptions that it could not take.
    case keep(Session, [ChannelPattern])
    /// That a client has acknowledged the whole of a replay is being written down.
    case settle(clientID: String, part: Int64)
    /// That replays of a session have become one is being written down.
    case join(clientID: String)
    /// A session's part of the past is being read. Where it is found, that counts for an address, if there is one.
    case catchUp(clientID: String, address: IPAddress?)
    case readRetained(ConnectionID)
    /// A part of a history is being read. That counts for an address, if there is one.
    case readHistory(ConnectionID, address: IPAddress?)

    /// Whether it is a publication that is to be stored.
    var isPublication: Bool { if case .publish = self { true } else { false } }

    /// What it weighs as a publication that is to be stored; otherwise nothing.
    var publicationBytes: Int { if case .publish(_, let draft) = self { draft.data.count } else { 0 } }

    /// The address that has it as one of its reads (`ReadShares`).
    var readingAddress: IPAddress? {
        switch self {
        case .catchUp(_, let address), .readHistory(_, let address): address
        case .publish, .pass, .subscribe, .unsubscribe, .note, .probe, .keep, .settle, .join, .readRetained: nil
        }
    }

    /// The connection that waits for it.
    var connection: ConnectionID? {
        switch self {
        case .publish(let publisher, _): publisher.connection
        case .pass(let publisher, _): publisher.peer.connection
        case .subscribe(let change), .unsubscribe(let change): change.peer.connection
        case .readRetained(let connection), .readHistory(let connection, _): connection
        case .note, .probe, .keep, .settle, .join, .catchUp: nil
        }
    }
}

/// A message to a service that is not answered yet.
struct PendingCall {
    let peer: Peer
    /// The reply as far as it is known.
    let replyHead: [UInt8]
    /// What the message weighs.
    let byteCount: Int
}

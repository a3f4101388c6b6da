/// A publication on its way to those who subscribe to its channel.
struct PassingPublication {
    let channel: ChannelName
    let publication: Publication
}

/// Who is told what became of a publication.
enum Publisher {
    case bayeux(BayeuxPublisher)
    case http(HTTPPublisher)

    var connection: ConnectionID {
        switch self {
        case .bayeux(let publisher): publisher.peer.connection
        case .http(let publisher): publisher.connection
        }
    }

    /// The trace that the publication belongs to.
    var trace: TraceParent? {
        switch self {
        case .bayeux(let publisher): publisher.trace
        case .http(let publisher): publisher.trace
        }
    }
}

/// A request over plain HTTP that waits for its receipt.
struct HTTPPublisher {
    let connection: ConnectionID
    /// What the receipt calls the publication.
    let id: String
    let key: IdempotencyKeys.Key?
    let trace: TraceParent?
}

/// A Bayeux client that waits for its acknowledgement.
struct BayeuxPublisher {
    /// By what a repeated publication is known.
    struct Sender {
        let session: Session
        let id: RecentIDs.ID
    }
    let peer: Peer
    let replyHead: [UInt8]
    let sender: Sender?
    /// Its own session, if it does not want to hear itself.
    let excluded: SubscriptionTable.Subscriber?
    /// Whether the acknowledgement says what became of the publication.
    let wantsReceipt: Bool
    let trace: TraceParent?

    init(
        _ request: Request, text: RawSpan, sender: Sender?, excluded: SubscriptionTable.Subscriber?,
        wantsReceipt: Bool = false, trace: TraceParent? = nil
    ) {
        self.trace = trace
        peer = request.peer
        replyHead = Router.replyHead(of: request, text: text)
        self.sender = sender
        self.excluded = excluded
        self.wantsReceipt = wantsReceipt
    }
}

/// The broker without I/O: sessions, subscriptions and what Bayeux says, owned by one event loop.
///
/// Inputs are batches of messages, connections that end, outcomes of the store and the passing of time; everything to
/// be done about them is appended to an `Outbox`. One owner for all sessions means one order of all publications, and
/// no lock. Event loops beside the owner's own parse what comes in and write what goes out.
///
/// What keeps the promises:
/// - A publication that is stored, and all that the same connection sends behind it, goes through the store and takes
///   effect in the order of the store's outcomes.
/// - A subscription takes effect with its outcome: reply, retained messages, then what is live.
/// - Messages for a session without a connection wait in its queue and go out before anything newer.
package struct Router: ~Copyable {
    /// The transports that there are, as they stand in the reply to a handshake.
    package static let connectionTypes = [
        "long-polling", "cross-origin-long-polling", "callback-polling", "websocket", "eventsource", "in-process",
    ]

    /// Those of them that it offers.
    let offeredTypes: [String]
    /// The same as a JSON array.
    let offeredTypesJSON: [UInt8]
    let limits: Limits
    /// May change while the broker runs.
    package var policies: ChannelPolicies
    /// Whether clients are sent away, to come back later.
    private(set) var isStopping = false
    /// Who may do what; nil when everybody may do everything.
    var rules: AccessRules?
    /// The keys whose tokens count; nil when that is not asked.
    var tokenKeys: Set<TokenKeyIdentity>?
    var revocations = Revocations()
    /// How fast clients may do things; nil when nothing of that is limited.
    var rates: SessionRates?
    /// How much was published to the channels whose policies limit that.
    var channelRates: BucketTable<String>
    /// Who sent the batch that is being worked on.
    var caller: Caller?
    let embedding: Embedding
    let epoch: String
    var generator: any RandomNumberGenerator

    var sessions: [Session?] = []
    var freeHandles: [SubscriptionTable.Subscriber] = []
    var handles = SessionHandles()
    var holdings = AddressHoldings()
    /// The session that each WebSocket is bound to.
    var bindings: ConnectionMap<SubscriptionTable.Subscriber>
    /// What goes where.
    var routing: RoutingTable

    /// Messages of each HTTP request that are not answered yet.
    var exchanges: [ConnectionID: Int] = [:]
    /// What the batches of this turn have had sent.
    var pushBudget = PushBudget()
    /// Sessions with messages and a held HTTP connect that can carry them.
    var readyPolls: [SubscriptionTable.Subscriber] = []
    /// Who may look for a part of the past.
    var readShares = ReadShares()
    var idempotencyKeys = IdempotencyKeys()
    var deadlines = DeadlineQueue<SubscriptionTable.Subscriber>()

    /// The last number that a publication has come back with from the store.
    var lastSequence: UInt64
    /// Sessions whose cursor is not written down yet, and when that is to be done (ns, monotonic).
    var movedCursors: Set<SubscriptionTable.Subscriber> = []
    var cursorDeadline: UInt64?

    /// What the store and services are asked for and have not answered.
    var work: PendingWork
    /// The weight of the messages that wait for sessions.
    package var queuedBytes: Int { queueWeights.total }
    var queueWeights = QueueWeights()
    /// What has gone through since the start, for the administrator.
    var publishedCount: UInt64 = 0
    var deliveredCount: UInt64 = 0
    /// The same in detail, for metrics.
    package internal(set) var counters = RouterCounters()
    var recorder: FlightRecorder

    /// A router for `loopCount` event loops that goes on where `state` left off.
    package init(
        limits: Limits, policies: ChannelPolicies = .init(), rules: AccessRules? = nil,
        revocations: [Revocations.Entry] = [], embedding: Embedding = .init(),
        offersCallbackPolling: Bool = true, state: StoredState,
        loopCount: UInt32, generator: some RandomNumberGenerator, now: Moment
    ) {
        var generator = generator
        self.limits = limits
        offeredTypes = Self.connectionTypes.filter { offersCallbackPolling || $0 != "callback-polling" }
        offeredTypesJSON = Array("[\(offeredTypes.map { "\"\($0)\"" }.joined(separator: ","))]".utf8)
        work = PendingWork(limits: limits)
        recorder = FlightRecorder(capacity: limits.endedSessions)
        rates = SessionRates(limits.rates)
        channelRates = BucketTable(capacity: limits.rates.rememberedCount)
        self.policies = policies
        self.rules = rules
        for entry in revocations { self.revocations.insert(entry) }
        self.embedding = embedding
        self.epoch = state.epoch
        self.lastSequence = state.lastSequence
        self.bindings = ConnectionMap(loopCount: loopCount)
        self.routing = RoutingTable(loopCount: loopCount, seed: generator.next())
        self.generator = generator
        for stored in state.sessions { restore(stored, now: now) }
        for recent in state.recent { restore(recent, now: now) }
    }

    /// A session of before the broker was started again. It goes on when its client comes back in time.
    private mutating func restore(_ stored: StoredState.Session, now: Moment) {
        let session = addSession(clientID: stored.clientID, now: now)
        session.storage = .stored
        session.rights.mustBeReviewed = true
        session.cursor = stored.cursor
        session.answeredPosition = stored.cursor
        if stored.acknowledges {
            session.acknowledgements = Acknowledgements(position: stored.cursor, isRestored: true)
        }
        for (pattern, since) in stored.subscriptions { addSubscription(to: pattern, since: since, of: session) }
        session.replays = ReplayProgress(stored.replays)
        restartCatchUp(of: session, missed: stored.cursor < lastSequence ? stored.cursor + 1...lastSequence : nil)
    }

    /// A publication of before the broker was started again, whose publisher may send it once more.
    private mutating func restore(_ recent: StoredState.Recent, now: Moment) {
        switch recent.origin {
        case .session(let clientID, let fingerprint):
            guard let handle = handles[clientID] else { return }
            sessions[Int(handle)]?.recentIDs.insert(RecentIDs.ID(stored: fingerprint))
        case .request(let text, let subject, let fingerprint, let id):
            let rest = limits.idempotencyWindow - .milliseconds(now.wall - recent.publishedAt)
            guard rest > .zero else { return }
            // Nobody gets it now: those who could have it have it.
            let receipt = PublishReceipt(id: id, channel: recent.channel, sequence: recent.sequence, matchedCount: 0)
            let deadline = now.adding(min(rest, limits.idempotencyWindow))
            let key = IdempotencyKeys.Key(channel: recent.channel, subject: subject, text: text)
            idempotencyKeys.restore(key, of: fingerprint, receipt, until: deadline)
        }
    }

    /// Sessions that exist.
    package var sessionCount: Int { handles.count }
    /// Sessions that have a connection, or a connect that is held.
    package var connectedCount: Int { bindings.count }
    /// Subscriptions of all sessions.
    package var subscriptionCount: Int { routing.subscriptionCount }
    /// Those, and what was asked for and is not there yet.
    package var heldSubscriptionCount: Int { holdings.subscriptions }

    /// A batch arrived; `text` is what its envelopes were cut from. An empty batch is answered with an empty one.
    ///
    /// Where there are rules, a batch without a `caller` is an unknown web page's.
    package mutating func receive(
        _ batch: borrowing [Envelope], text: RawSpan, from peer: Peer, caller: Caller? = nil, now: Moment,
        into outbox: inout Outbox
    ) {
        self.caller = caller
        if peer.kind == .exchange { exchanges[peer.connection] = batch.count }
        if batch.isEmpty {
            switch peer.kind {
            case .exchange: finish(peer.connection, into: &outbox)
            case .socket: outbox.reply(to: peer.connection) { _ in }
            case .stream: break
            }
            return
        }
        pushBudget.begin(peer.connection)
        for index in batch.indices {
            let request = Request(envelope: batch[index], peer: peer, isAlone: batch.count == 1, index: index)
            receive(request, text: text, now: now, into: &outbox)
        }
        pushBudget.end()
    }

    private mutating func receive(_ request: Request, text: RawSpan, now: Moment, into outbox: inout Outbox) {
        guard request.envelope.isObject else {
            counters.receive(.invalid, over: request.peer.kind)
            reply(to: request.peer, .missing("data"), into: &outbox) { _ in }
            return
        }
        let channel = request.envelope.channel
        guard channel.isString, MetaChannel.isPossible(channel, in: text) else {
            counters.receive(.publish, over: request.peer.kind)
            publish(request, text: text, now: now, into: &outbox)
            return
        }
        let meta = MetaChannel(channel, in: text)
        counters.receive(meta?.kind ?? .publish, over: request.peer.kind)
        switch meta {
        case .handshake: handshake(request, text: text, now: now, into: &outbox)
        case .connect: connect(request, text: text, now: now, into: &outbox)
        case .subscribe: subscribe(request, text: text, now: now, into: &outbox)
        case .unsubscribe: unsubscribe(request, text: text, now: now, into: &outbox)
        case .disconnect: disconnect(request, text: text, now: now, into: &outbox)
        case nil: publish(request, text: text, now: now, into: &outbox)
        }
    }

    /// A connection is gone, or an HTTP client has given up its request. The session stays until it expires.
    package mutating func close(
        _ connection: ConnectionID, because reason: ConnectionEnd = .peer, now: Moment, into outbox: inout Outbox
    ) {
        exchanges[connection] = nil
        if let handle = bindings.removeValue(forKey: connection), let session = sessions[Int(handle)] {
            let wasAttached = session.link.connection == connection
            session.record.lost = .init(reason: reason, at: now.wall)
            if session.link.receiveClose(of: connection) { routing.route(handle, to: nil) }
            if wasAttached { lose(session) }
            if session.isEphemeral {
                _ = end(session, .stream, advice: Advice(reconnect: .none), now: now, into: &outbox)
            }
        }
        if work.close(connection) { outbox.append(.release(connection)) }
    }

    /// The turn of the loop ends: held HTTP connects go out with all that arrived for them in it.
    package mutating func endTurn(now: Moment, into outbox: inout Outbox) {
        pushBudget.reset()
        guard !readyPolls.isEmpty else { return }
        for handle in readyPolls {
            guard let session = sessions[Int(handle)], let held = session.link.takePoll() else { continue }
            unbindPoll(held)
            answer(held, of: session, now: now, into: &outbox)
        }
        readyPolls.removeAll(keepingCapacity: true)
    }

    /// When `advance` has to be called next (ns, monotonic).
    package var nextDeadline: UInt64? {
        guard let first = deadlines.first, let cursorDeadline else { return deadlines.first ?? cursorDeadline }
        return min(first, cursorDeadline)
    }

    /// Deadlines that one call of `advance` sees to.
    package static let deadlinesPerTurn = 512

    /// Time has come to `now`: held connects are answered, sessions expire. After so many of them others have their turn:
    /// then `nextDeadline` is past, and this is to be called again.
    package mutating func advance(to now: Moment, into outbox: inout Outbox) {
        var count = 0
        if let cursorDeadline, cursorDeadline <= now.monotonic { storeCursors(into: &outbox) }
        while count < Self.deadlinesPerTurn, let (deadline, handle) = deadlines.popFirst(until: now.monotonic) {
            count += 1
            guard let session = sessions[Int(handle)], session.scheduledDeadline == deadline else { continue }
            session.scheduledDeadline = .max
            if session.expiresAt <= now.monotonic {
                expire(session, now: now, into: &outbox)
                continue
            }
            if session.rights.end <= now.monotonic, !session.rights.isSuspended {
                suspend(session, now: now, into: &outbox)
            }
            if let held = session.link.advance(to: now.monotonic) {
                unbindPoll(held)
                answer(held, of: session, now: now, into: &outbox)
            }
            schedule(session)
        }
    }

    /// The broker stops: every held connect is answered, with advice to come back at a moment of the session's own. What is on
    /// its way then has arrived when the other side has answered the end of its connection (`part`).
    package mutating func shutDown(now: Moment, into outbox: inout Outbox) {
        isStopping = true
        for case let session? in sessions {
            if let held = session.link.advance(to: .max) {
                unbindPoll(held)
                answer(held, of: session, now: now, into: &outbox)
            } else if session.hasStream, !session.isEphemeral, let connection = session.link.connection {
                adviseToComeBack(over: connection, into: &outbox)
            }
            if session.acknowledgements == nil, session.link.connection != nil {
                session.noteAnswer(position: position(of: session))
            }
        }
    }

    /// The broker stops, and the other side of a connection has all that was on its way then.
    package mutating func part(from connection: ConnectionID, now: Moment) {
        guard isStopping, let handle = bindings[connection], let session = sessions[Int(handle)],
            session.link.connection == connection, session.acknowledgements == nil
        else { return }
        confirmAnswered(session, now: now)
    }

    /// The broker has stopped: what is known of how far clients are is to be written down.
    package mutating func finish(into outbox: inout Outbox) {
        storeCursors(into: &outbox)
    }
}

/// One message of a batch, and where its reply goes.
struct Request {
    let envelope: Envelope
    let peer: Peer
    /// Whether it is the only message of its batch: only then may an HTTP request be held for it.
    let isAlone: Bool
    /// Its place in the batch.
    let index: Int
}

/// The meta channels that a client may send to (Bayeux 1.0 §4).
enum MetaChannel {
    case handshake, connect, subscribe, unsubscribe, disconnect

    /// What it counts as.
    var kind: RouterCounters.Kind {
        switch self {
        case .handshake: .handshake
        case .connect: .connect
        case .subscribe: .subscribe
        case .unsubscribe: .unsubscribe
        case .disconnect: .disconnect
        }
    }

    /// A quick look: whether the channel begins like a meta channel, or is written with escapes.
    static func isPossible(_ channel: JSONSlice, in text: RawSpan) -> Bool {
        if channel.kind == .escapedString { return true }
        // The opening quote, then "/m".
        let start = channel.range.lowerBound
        return channel.count > 3 && text.unsafeLoad(fromByteOffset: start + 2, as: UInt8.self) == UInt8(ascii: "m")
    }

    init?(_ channel: JSONSlice, in text: RawSpan) {
        if channel.equals("/meta/connect", in: text) {
            self = .connect
        } else if channel.equals("/meta/subscribe", in: text) {
            self = .subscribe
        } else if channel.equals("/meta/unsubscribe", in: text) {
            self = .unsubscribe
        } else if channel.equals("/meta/handshake", in: text) {
            self = .handshake
        } else if channel.equals("/meta/disconnect", in: text) {
            self = .disconnect
        } else {
            return nil
        }
    }
}

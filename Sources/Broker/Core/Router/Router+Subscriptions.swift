/// `/meta/subscribe` and `/meta/unsubscribe` (Bayeux 1.0 §4.4, §4.5).
extension Router {
    /// Adds subscriptions once the store has them; the reply comes first, then retained messages, then what is live.
    mutating func subscribe(_ request: Request, text: RawSpan, now: Moment, into outbox: inout Outbox) {
        let identity = identity(of: request, text: text, now: now, into: &outbox)
        change(request, text: text, into: &outbox) { router, session, patterns, error in
            if let identity, let refusal = router.refusal(of: identity, &patterns) {
                error = .bayeux(router.counted(refusal))
            }
            if router.refuseExcess(of: &patterns, session, &error, now: now) { return }
            let newCount = Self.newCount(of: patterns, in: session)
            guard newCount > 0 else { return }
            let isTooMany = session.heldCount + newCount > router.limits.subscriptionsPerSession
            let excess: BayeuxError? =
                isTooMany ? .tooMany("subscriptions") : router.excess(ofHolding: newCount, at: session.address)
            if let excess {
                patterns = []
                error = .bayeux(excess)
            }
        } submit: { router, session, change, outbox in
            var change = change
            change.claimedCount = Int32(Self.newCount(of: change.patterns, in: session))
            let points = ReplayPoints(ext: request.envelope.ext, text: text, limits: router.limits)
            change.items = change.patterns.map {
                SubscriptionItem($0, replay: points[$0] ?? session.replayPoints[$0])
            }
            change.part = session.replays.nextPart()
            var stored = session.stored
            stored.part = change.part
            change.unsaved = Array(stored.subscriptions.keys)
            session.storage.tell()
            router.submit(change, of: session, stored, now: now, to: &outbox)
        }
    }

    /// How many of the patterns the session is not subscribed to.
    private static func newCount(of patterns: [ChannelPattern], in session: Session) -> Int {
        Set(patterns).count { !session.subscriptions.contains($0) }
    }

    /// Removes subscriptions; one that was never made is removed with success, and without the store.
    mutating func unsubscribe(_ request: Request, text: RawSpan, now: Moment, into outbox: inout Outbox) {
        change(request, text: text, into: &outbox) { router, session, patterns, error in
            // As long as some are being made it is not known which there will be.
            if session.subscribeCount == 0 { patterns.removeAll { !session.subscriptions.contains($0) } }
            _ = router.refuseExcess(of: &patterns, session, &error, now: now)
        } submit: { router, session, change, outbox in
            var change = change
            change.unsaved = change.patterns.filter { session.unsaved.remove($0) != nil }
            router.submit(.unsubscribe(change), for: request.peer.connection, to: &outbox) {
                .unsubscribe($0, clientID: session.clientID, patterns: change.patterns)
            }
        }
    }

    /// Whether these are too many changes of a session's subscriptions by now: then none is made.
    private mutating func refuseExcess(
        of patterns: inout [ChannelPattern], _ session: Session, _ error: inout ReplyError?, now: Moment
    ) -> Bool {
        guard rates != nil, !patterns.isEmpty,
            let excess = excess(ofSubscriptions: patterns.count, by: session, now: now)
        else { return false }
        patterns = []
        error = .bayeux(excess)
        return true
    }

    /// What both have in common: the checks in their order, and the items before a bad one stay applied.
    private mutating func change(
        _ request: Request, text: RawSpan, into outbox: inout Outbox,
        check: (inout Router, Session, inout [ChannelPattern], inout ReplyError?) -> Void,
        submit: (inout Router, Session, SubscriptionChange, inout Outbox) -> Void
    ) {
        var error = ReplyError(sentIn: request, text: text)
        let session = self.session(of: request, text: text)
        if case .failure(let refusal) = session { error = .bayeux(refusal) }
        let subscription = request.envelope.subscription
        if !subscription.isTruthy(in: text) { error = .bayeux(.missing("subscription")) }

        var patterns: [ChannelPattern] = []
        if error == nil, case .success(let session) = session {
            let (valid, refusal) = self.patterns(in: subscription, text: text)
            // One that is named twice is read for once.
            var seen: Set<ChannelPattern> = []
            patterns = valid.filter { seen.insert($0).inserted }
            error = refusal.map(ReplyError.bayeux)
            check(&self, session, &patterns, &error)
            if !patterns.isEmpty, storeIsBusy {
                patterns = []
                error = .bayeux(.tooMany("operations"))
            }
            if !patterns.isEmpty {
                var head = Self.replyHead(of: request, text: text)
                Self.appendSubscription(subscription, text: text, to: &head)
                let change = SubscriptionChange(
                    peer: request.peer, clientID: session.clientID, patterns: patterns, replyHead: head,
                    error: error?.bayeux)
                return submit(&self, session, change, &outbox)
            }
        }
        reply(to: request, text: text, error, into: &outbox) { bytes in
            Self.appendSubscription(subscription, text: text, to: &bytes)
        }
    }

    private static func appendSubscription(_ subscription: JSONSlice, text: RawSpan, to bytes: inout [UInt8]) {
        bytes += #""subscription":"#.utf8
        if subscription.isTruthy(in: text) {
            bytes.append(subscription, of: text)
        } else {
            bytes += "[]".utf8
        }
        bytes.append(UInt8(ascii: ","))
    }

    /// The patterns of a subscription field, a string or an array of them, up to the first that is refused.
    private func patterns(in subscription: JSONSlice, text: RawSpan) -> ([ChannelPattern], BayeuxError?) {
        var patterns: [ChannelPattern] = []
        guard subscription.kind == .array else {
            switch pattern(in: subscription, text: text) {
            case .success(let pattern): return ([pattern], nil)
            case .failure(let error): return ([], error)
            }
        }
        var elements = subscription.elements
        while let element = elements.next(in: text) {
            guard patterns.count < limits.subscriptionsPerSession else { return (patterns, .tooMany("subscriptions")) }
            switch pattern(in: element, text: text) {
            case .success(let pattern): patterns.append(pattern)
            case .failure(let error): return (patterns, error)
            }
        }
        return (patterns, nil)
    }

    private func pattern(in slice: JSONSlice, text: RawSpan) -> Result<ChannelPattern, BayeuxError> {
        guard let name = slice.string(in: text) else {
            return .failure(.invalidChannel(slice.json(in: text)))
        }
        guard
            let pattern = try? ChannelPattern(name, grammar: limits.grammar, maximumBytes: limits.channelBytes)
        else { return .failure(.invalidChannel(name)) }
        return pattern.isForClients ? .success(pattern) : .failure(.forbidden(name))
    }

    /// Has the store keep subscriptions, with what it is to know of the session; they are claimed until it is through.
    mutating func submit(
        _ change: SubscriptionChange, of session: Session, _ stored: StoredState.Session?, now: Moment,
        to outbox: inout Outbox
    ) {
        var change = change
        change.reviewCount = session.rights.reviewCount
        session.claimedCount += change.claimedCount
        hold(Int(change.claimedCount), by: session)
        session.subscribeCount += 1
        submit(.subscribe(change), for: change.peer.connection, to: &outbox) {
            .subscribe($0, stored, change.items, wall: now.wall)
        }
    }

    /// The store is through with subscriptions: their places are taken, or free again.
    mutating func releaseClaim(of change: SubscriptionChange) {
        guard let handle = handles[change.clientID], let session = sessions[Int(handle)] else { return }
        session.claimedCount -= change.claimedCount
        hold(-Int(change.claimedCount), by: session)
        session.subscribeCount -= 1
    }

    /// The store has the subscriptions: what comes behind `through` is live.
    mutating func finish(
        _ change: SubscriptionChange, through: UInt64, hasPast: Bool, isUnsaved: Bool = false, now: Moment,
        into outbox: inout Outbox
    ) {
        guard let session = session(for: change, into: &outbox) else { return }
        if isUnsaved {
            session.unsaved.formUnion(change.patterns)
        } else if !session.isEphemeral {
            session.storage = .stored
            session.unsaved.subtract(change.patterns)
            noteSaved(change.unsaved, of: session, now: now, into: &outbox)
        }
        for pattern in change.patterns
        where addSubscription(to: pattern, since: through, of: session) && !session.isEphemeral {
            tell(.subscribe(clientID: session.clientID, pattern: pattern.text), into: &outbox)
        }
        if hasPast {
            let request = BacklogRequest(
                items: change.items, through: through, limit: limits.replayedMessages, wall: now.wall,
                part: change.part)
            if !session.isEphemeral { session.replays.add(change.items, through: through, part: change.part) }
            var joined: BacklogRequest?
            catchUp(session) {
                joined = $0.add(request, behind: &session.queue, restored: session.replays.lastRestoredPart)
            }
            noteParts(of: change.patterns, joined, session, now: now, into: &outbox)
            weigh(session)
        }
        if change.peer.kind == .stream {
            guard !reviewAgain(session, since: change, now: now, into: &outbox) else {
                let error = BayeuxError.denied(.subscribe, change.patterns.first?.text ?? "")
                return refuseStream(change, .denied, error, now: now, into: &outbox)
            }
            attach(change.peer.connection, at: change.peer.address, to: session, now: now, into: &outbox)
        } else {
            reply(to: change.peer, head: change.replyHead, change.error, into: &outbox)
            reviewAgain(session, since: change, now: now, into: &outbox)
            readOn(session, now: now, into: &outbox)
        }
    }

    /// Has the store write down to which replay subscriptions belong now, those that have joined others. Else, behind a
    /// restart, what a client says that it has of a replay would be taken for what it has of a part of that.
    private mutating func noteParts(
        of asked: [ChannelPattern], _ joined: BacklogRequest?, _ session: Session, now: Moment,
        into outbox: inout Outbox
    ) {
        // What is being written may tell of these as well, and take effect behind the subscription.
        let patterns = joined.map { session.replays.join($0) } ?? (session.joinCount > 0 ? asked : [])
        var stored = StoredState.Session(
            clientID: session.clientID, cursor: session.cursor, acknowledges: session.acknowledgements != nil)
        for pattern in patterns where !session.unsaved.contains(pattern) {
            stored.replays[pattern] = session.replays[pattern]
        }
        guard session.storage == .stored, !stored.replays.isEmpty else { return }
        session.joinCount += 1
        submit(.join(clientID: session.clientID), to: &outbox) { .subscribe($0, stored, [], wall: now.wall) }
    }

    /// It is written down, or cannot be: the replay begins.
    mutating func finishJoin(of clientID: String, now: Moment, into outbox: inout Outbox) {
        guard let handle = handles[clientID], let session = sessions[Int(handle)] else { return }
        session.joinCount -= 1
        readOn(session, now: now, into: &outbox)
    }

    /// What was allowed when a subscription was asked for may not be any more: while the store was at it, other rules or
    /// another token came, which were asked about the others only. Returns whether something has ended.
    @discardableResult
    private mutating func reviewAgain(
        _ session: Session, since change: SubscriptionChange, now: Moment, into outbox: inout Outbox
    ) -> Bool {
        guard session.rights.reviewCount != change.reviewCount else { return false }
        return review(session, session.rights.caller, now: now, into: &outbox)
    }

    /// The store has these subscriptions of a session, too; others that it could not take are handed to it again.
    mutating func noteSaved(
        _ patterns: [ChannelPattern], of session: Session, now: Moment, into outbox: inout Outbox
    ) {
        session.unsaved.subtract(patterns)
        guard !session.unsaved.isEmpty, !storeIsBusy else { return }
        let stored = session.stored
        submit(.keep(session, Array(stored.subscriptions.keys)), to: &outbox) {
            .subscribe($0, stored, [], wall: now.wall)
        }
    }

    /// The store does not have the subscriptions. A session that it does not know at all can do without: after a restart
    /// its client is told to shake hands again. One that it knows would come back without them, and not be told.
    mutating func refuse(_ change: SubscriptionChange, _ error: StoreError, now: Moment, into outbox: inout Outbox) {
        if change.peer.kind == .stream {
            return refuseStream(change, .store, .storeFailed(error), now: now, into: &outbox)
        }
        let session = handles[change.clientID].flatMap { sessions[Int($0)] }
        if let session, session.storage != .stored {
            return finish(
                change, through: lastSequence, hasPast: true, isUnsaved: true, now: now, into: &outbox)
        }
        reply(to: change.peer, head: change.replyHead, .storeFailed(error), into: &outbox)
    }

    /// A backlog as it is delivered: what is missing first.
    func publications(of backlog: Backlog) -> [Publication] {
        backlog.losses.map { Publication($0.gap, on: $0.channels.text, epoch: epoch) }
            + backlog.entries.map { Publication($0.publication, epoch: epoch, retained: $0.isRetained) }
    }

    /// The store has not forgotten the subscriptions.
    mutating func refuseRemoval(_ change: SubscriptionChange, _ error: StoreError, into outbox: inout Outbox) {
        if let session = handles[change.clientID].flatMap({ sessions[Int($0)] }) {
            session.unsaved.formUnion(change.unsaved.filter { session.subscriptions.contains($0) })
        }
        reply(to: change.peer, head: change.replyHead, .storeFailed(error), into: &outbox)
    }

    /// The store has forgotten the subscriptions: their replays end. What was published before and waits still comes.
    mutating func finishRemoval(_ change: SubscriptionChange, now: Moment, into outbox: inout Outbox) {
        guard let session = session(for: change, into: &outbox) else { return }
        for pattern in change.patterns where removeSubscription(to: pattern, of: session) {
            tell(.unsubscribe(clientID: session.clientID, pattern: pattern.text), into: &outbox)
        }
        reply(to: change.peer, head: change.replyHead, change.error, into: &outbox)
        let removed = Set(change.patterns)
        guard session.catchUp?.replays(any: removed) == true else { return }
        session.catchUp?.restrict(to: { !removed.contains($0) }, messages: { _ in true })
        // A connection that takes nothing is written to when it has drained.
        if session.uptake == .ready { goOn(session, now: now, into: &outbox) }
    }

    /// The session that asked for a change, unless it has ended meanwhile.
    private mutating func session(for change: SubscriptionChange, into outbox: inout Outbox) -> Session? {
        if let handle = handles[change.clientID], let session = sessions[Int(handle)] { return session }
        guard change.peer.kind != .stream else {
            if isOpen(change.peer.connection) {
                outbox.append(.refuse(change.peer.connection, .unknownClient(change.clientID)))
            }
            return nil
        }
        reply(to: change.peer, head: change.replyHead, .unknownClient(change.clientID), into: &outbox)
        return nil
    }
}

/// A change of a session's subscriptions that the store is working on.
struct SubscriptionChange {
    let peer: Peer
    let clientID: String
    let patterns: [ChannelPattern]
    /// The patterns with what is wanted of the past.
    var items: [SubscriptionItem] = []
    /// The number of the replay that comes of it.
    var part: Int64 = 0
    let replyHead: [UInt8]
    /// What refused the rest of the request.
    let error: BayeuxError?
    /// How many of the patterns count towards the session's bound while the store works.
    var claimedCount: Int32 = 0
    /// Subscriptions that the store did not have: it is told of them as well, or not any more.
    var unsaved: [ChannelPattern] = []
    /// How often its session had been asked again what it may be subscribed to.
    var reviewCount: Int32 = 0
}

extension Session {
    /// What the store is to know of it.
    var stored: StoredState.Session {
        var stored = StoredState.Session(
            clientID: clientID, cursor: cursor, acknowledges: acknowledgements != nil)
        if unsaved.isEmpty { return stored }
        for entry in subscriptions.entries where unsaved.contains(entry.pattern) {
            stored.subscriptions[entry.pattern] = entry.since
        }
        stored.replays = replays.pending.filter { unsaved.contains($0.key) }
        return stored
    }
}

extension ReplyError {
    fileprivate var bayeux: BayeuxError? {
        if case .bayeux(let error) = self { error } else { nil }
    }
}

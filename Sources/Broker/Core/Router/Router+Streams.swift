/// Event streams: connections that only take messages (Faye's `eventsource`, and channels for a bare `EventSource`).
///
/// Each asks once, and is answered with `open` or `refuse`.
extension Router {
    /// A stream for a session: from now on its messages go there. It does not keep the session alive; connects do.
    package mutating func openStream(
        for clientID: String, from connection: ConnectionID, caller: Caller? = nil, now: Moment,
        into outbox: inout Outbox
    ) {
        guard let handle = handles[clientID], let session = sessions[Int(handle)], !session.isEphemeral else {
            return outbox.append(.refuse(connection, .unknownClient(clientID)))
        }
        if rules != nil, let refusal = refusal(ofStreaming: session, to: caller, now: now, into: &outbox) {
            return outbox.append(.refuse(connection, refusal))
        }
        // Acknowledgements travel with connects only.
        guard session.acknowledgements == nil else {
            return outbox.append(.refuse(connection, .connectionTypes(["eventsource"])))
        }
        // Its client is where its requests came from.
        attach(connection, at: session.record.address, to: session, now: now, into: &outbox)
    }

    /// A stream of channels for anybody: a session of its own, which ends with it. It opens when the store has answered.
    package mutating func openStream(
        of items: [SubscriptionItem], from connection: ConnectionID, at address: AddressClass = .unknown,
        caller: Caller? = nil, now: Moment, into outbox: inout Outbox
    ) {
        if rules != nil {
            for item in items {
                guard let refusal = refusal(of: caller, .subscribe, item.pattern, now: now) else { continue }
                return outbox.append(.refuse(connection, refusal))
            }
        }
        if let refusal = refusal(of: items, at: caller?.address) { return outbox.append(.refuse(connection, refusal)) }
        let clientID = ClientID.make(using: &generator)
        let session = addSession(clientID: clientID, isEphemeral: true, now: now)
        session.rights.isBrowser = caller?.isBrowser ?? true
        place(session, at: caller?.address)
        if let principal = caller?.principal { give(principal, to: session, now: now) }
        bindings[connection] = session.handle
        session.awaitedStream = connection
        var change = SubscriptionChange(
            peer: Peer(connection: connection, kind: .stream, address: address), clientID: clientID,
            patterns: items.map(\.pattern),
            items: items, replyHead: [], error: nil)
        change.claimedCount = Int32(items.count)
        submit(change, of: session, nil, now: now, to: &outbox)
    }

    private func refusal(of items: [SubscriptionItem], at address: IPAddress?) -> BayeuxError? {
        if let item = items.first(where: { !$0.pattern.isForClients }) {
            return .forbidden(item.pattern.text)
        }
        if items.count > limits.subscriptionsPerSession { return .tooMany("subscriptions") }
        let excess = excessOfSessions(at: address) ?? excess(ofHolding: items.count, at: address)
        if let excess { return excess }
        return storeIsBusy ? .tooMany("operations") : nil
    }

    /// There is no stream for a session, which ends by that unless it has ended already.
    mutating func refuseStream(
        _ change: SubscriptionChange, _ reason: EndReason, _ error: BayeuxError, now: Moment, into outbox: inout Outbox
    ) {
        if let handle = handles[change.clientID], let session = sessions[Int(handle)] {
            _ = end(session, reason, advice: Advice(reconnect: .none), now: now, into: &outbox)
        }
        if isOpen(change.peer.connection) { outbox.append(.refuse(change.peer.connection, error)) }
    }

    /// Turns a session to a stream, which begins with what waited.
    mutating func attach(
        _ stream: ConnectionID, at address: AddressClass, to session: Session, now: Moment, into outbox: inout Outbox
    ) {
        let (held, detached) = session.link.attach(stream)
        if let detached {
            unbind(detached, from: session)
            lose(session)
        }
        if let held {
            unbindPoll(held)
            answerWithoutMessages(held, of: session, into: &outbox)
        }
        session.record.connect(Peer(connection: stream, kind: .stream, address: address))
        bind(stream, to: session)
        session.awaitedStream = nil
        session.hasStream = true
        outbox.append(.open(stream))
        pushWaiting(for: session, to: stream, now: now, into: &outbox)
        noteWritten(to: session, now: now)
    }

    /// What a session's stream has got by now will have arrived when the doubt ends.
    private mutating func noteWritten(to session: Session, now: Moment) {
        noteAnswer(to: session)
        session.doubtEndsAt = now.adding(limits.streamDoubt)
    }

    /// A connect of a client that has an event stream: a sign of life, answered at once. Without a stream it fetches what
    /// waits, so that nothing is stuck.
    mutating func beat(
        _ session: Session, _ request: Request, text: RawSpan, _ extensions: ReplyExtension, now: Moment,
        into outbox: inout Outbox
    ) {
        if session.link.connection == nil {
            pushWaiting(for: session, to: request.peer.connection, now: now, into: &outbox)
        }
        if hasAnswer(request.peer, of: session) {
            noteAnswer(to: session)
        } else if session.hasStream, session.uptake != .congested, session.doubtEndsAt <= now.monotonic, !isStopping {
            confirmAnswered(session, now: now)
            noteWritten(to: session, now: now)
        }
        let advice =
            isStopping ? drainAdvice() : Advice(reconnect: .retry, interval: limits.timeout.milliseconds, timeout: 0)
        reply(to: request, text: text, nil, into: &outbox) { bytes in
            bytes += #""advice":\#(advice.json),"#.utf8
            extensions.append(to: &bytes)
        }
        schedule(session)
    }

    /// The broker stops. A client that has no connect held, as those of event streams, is told so beside its messages.
    mutating func adviseToComeBack(over connection: ConnectionID, into outbox: inout Outbox) {
        let advice = drainAdvice()
        outbox.reply(to: connection) { bytes in
            bytes += #"{"channel":"/meta/connect","successful":true,"advice":\#(advice.json)}"#.utf8
        }
    }
}

/// The table of sessions.
extension Router {
    mutating func addSession(clientID: String, isEphemeral: Bool = false, now: Moment) -> Session {
        let handle: SubscriptionTable.Subscriber
        if let free = freeHandles.popLast() {
            handle = free
        } else {
            handle = SubscriptionTable.Subscriber(sessions.count)
            sessions.append(nil)
        }
        routing.add(handle)
        let session = Session(
            clientID: clientID, handle: handle, expiresAt: isEphemeral ? .max : now.adding(limits.timeout * 2),
            position: lastSequence, isEphemeral: isEphemeral, startedAt: now.wall)
        sessions[Int(handle)] = session
        handles[clientID] = handle
        // As early as a connect usually has to be answered: so one entry does for both.
        schedule(session, by: isEphemeral ? .max : now.adding(limits.timeout))
        return session
    }

    /// Why there may not be one session more now of a client at an address; nil when there may.
    func excessOfSessions(at address: IPAddress?) -> BayeuxError? {
        if sessionCount >= limits.sessions { return .tooMany("sessions") }
        guard let address else { return nil }
        return holdings.sessions(at: address) < limits.sessionsPerAddress ? nil : .tooMany("sessions-per-address")
    }

    /// Why so many subscriptions more may not be held now for a client at an address; nil when they may.
    func excess(ofHolding count: Int, at address: IPAddress?) -> BayeuxError? {
        if holdings.subscriptions + count > limits.subscriptions { return .tooMany("subscriptions-in-all") }
        guard let address else { return nil }
        return holdings.subscriptions(at: address) + count <= limits.subscriptionsPerAddress
            ? nil : .tooMany("subscriptions-per-address")
    }

    /// A session has so many subscriptions more, or asks for them.
    mutating func hold(_ count: Int, by session: Session) {
        holdings.add(subscriptions: count, at: session.address)
    }

    /// A session's client has come from there, as far as that counts for limits.
    mutating func place(_ session: Session, at address: IPAddress?) {
        guard session.address != address else { return }
        holdings.add(sessions: -1, subscriptions: -session.heldCount, at: session.address)
        holdings.add(sessions: 1, subscriptions: session.heldCount, at: address)
        session.address = address
    }

    /// Whether the session was not subscribed to it before.
    @discardableResult
    mutating func addSubscription(to pattern: ChannelPattern, since: UInt64, of session: Session) -> Bool {
        guard session.subscriptions.insert(pattern, since: since) else { return false }
        routing.subscribe(session.handle, to: pattern)
        hold(1, by: session)
        return true
    }

    /// Whether the session was subscribed to it.
    mutating func removeSubscription(to pattern: ChannelPattern, of session: Session) -> Bool {
        guard session.subscriptions.remove(pattern) else { return false }
        session.replays.remove(pattern)
        session.unsaved.remove(pattern)
        routing.unsubscribe(session.handle, from: pattern)
        hold(-1, by: session)
        return true
    }

    /// Sessions that come and go quickly leave deadlines behind, which would stay until their time comes.
    private mutating func forgetDeadlines() {
        guard deadlines.count > 4 * (handles.count + 256) else { return }
        let sessions = sessions
        deadlines.removeAll { deadline, handle in sessions[Int(handle)]?.scheduledDeadline != deadline }
    }

    /// Puts the session's next deadline into the queue, or `latest` if that is before it (ns, monotonic), unless an earlier
    /// one stands there already.
    mutating func schedule(_ session: Session, by latest: UInt64 = .max) {
        let next = min(session.nextDeadline, latest)
        guard next < session.scheduledDeadline else { return }
        session.scheduledDeadline = next
        deadlines.insert(next, for: session.handle)
    }

    /// The session's time is up: what it held is answered, its socket closed.
    mutating func expire(_ session: Session, now: Moment, into outbox: inout Outbox) {
        let advice = expiredAdvice()
        let ofToken = session.rights.isSuspended || session.isEphemeral
        if let socket = end(session, ofToken ? .tokenExpired : .expired, advice: advice, now: now, into: &outbox) {
            outbox.append(.close(socket))
        }
    }

    /// Ends a session; its held connect is answered with `advice`. Returns the socket that was bound to it.
    mutating func end(
        _ session: Session, _ reason: EndReason, advice: Advice, error: BayeuxError? = nil, now: Moment,
        into outbox: inout Outbox
    ) -> ConnectionID? {
        note(session, reason, now: now)
        let (held, socket) = session.link.release()
        if let socket { unbind(socket, from: session) }
        if let stream = session.awaitedStream { bindings[stream] = nil }
        if let held {
            unbindPoll(held)
            reply(to: held, of: session, error, into: &outbox) { bytes in
                bytes += #""advice":\#(advice.json),"#.utf8
            }
        }
        for pattern in session.subscriptions.patterns {
            routing.unsubscribe(session.handle, from: pattern)
            if !session.isEphemeral {
                tell(.unsubscribe(clientID: session.clientID, pattern: pattern.text), into: &outbox)
            }
        }
        if !session.isEphemeral { tell(.disconnect(clientID: session.clientID), into: &outbox) }
        handles[session.clientID] = nil
        sessions[Int(session.handle)] = nil
        holdings.add(sessions: -1, subscriptions: -session.heldCount, at: session.address)
        movedCursors.remove(session.handle)
        forgetDeadlines()
        session.acknowledgements = nil
        session.catchUp?.abandon()
        session.catchUp = nil
        changeQueue(of: session) { $0 = MessageQueue() }
        freeHandles.append(session.handle)
        if session.storage != .unknown {
            submit(.note, to: &outbox) { .endSession($0, clientID: session.clientID) }
        }
        return socket
    }
}

/// Handshake, connect, disconnect: how sessions begin, live and end.
extension Router {
    /// `/meta/handshake` (Bayeux 1.0 §4.1). A client id in the request means nothing.
    mutating func handshake(_ request: Request, text: RawSpan, now: Moment, into outbox: inout Outbox) {
        var error = ReplyError(sentIn: request, text: text)
        if !request.envelope.version.isTruthy(in: text) { error = .bayeux(.missing("version")) }
        if let refusal = refusal(of: request.envelope.supportedConnectionTypes, text: text) {
            error = .bayeux(refusal)
        }
        var identity: Caller?
        if rules != nil, error == nil {
            switch identify(request, nil, now: now, into: &outbox) {
            case .success(let caller): identity = caller
            case .failure(let refusal): error = .bayeux(counted(refusal))
            }
        }
        var advice = refusedAdvice(error)
        if rates != nil, error == nil, let excess = excessOfHandshakes(now: now) {
            error = .bayeux(excess)
            advice.interval = (excess.retryAfter ?? 1) * 1000
        }
        if error == nil, let excess = excessOfSessions(at: caller?.address) {
            error = .bayeux(excess)
            advice.interval = limits.timeout.milliseconds
        }
        var clientID: String?
        var extensions = ReplyExtension()
        if error == nil {
            let id = ClientID.make(using: &generator)
            let session = addSession(clientID: id, now: now)
            session.rights.isBrowser = caller?.isBrowser ?? true
            place(session, at: caller?.address)
            if let principal = identity?.principal { give(principal, to: session, now: now) }
            let asked = ExtensionFields(of: request.envelope)
            if asked.wantsAcknowledgements(in: text) {
                session.acknowledgements = Acknowledgements(position: lastSequence)
            }
            session.replayPoints = ReplayPoints(ext: request.envelope.ext, text: text, limits: limits)
            extensions = asked.handshakeReply(now: now, in: text)
            tell(.handshake(clientID: id), into: &outbox)
            clientID = id
            advice = isStopping ? drainAdvice() : successAdvice
        }
        let types = offeredTypesJSON
        reply(to: request, text: text, error, withClientID: false, into: &outbox) { bytes in
            bytes += #""version":"1.0","supportedConnectionTypes":"#.utf8
            bytes += types
            bytes.append(UInt8(ascii: ","))
            if let clientID { bytes += #""clientId":"\#(clientID)","#.utf8 }
            bytes += #""advice":\#(advice.json),"#.utf8
            extensions.append(to: &bytes)
        }
    }

    /// What a client shall do that was refused: one whom an extension refuses, or whose token is not good, stays away, for
    /// trying again changes nothing.
    private func refusedAdvice(_ error: ReplyError?) -> Advice {
        switch error {
        case .sent: Advice(reconnect: .none)
        case .bayeux(let error) where error.code == 401 && !error.isUnknownClient:
            // The key of a token may be on its way.
            error.retryAfter.map { Advice(reconnect: .handshake, interval: $0 * 1000) } ?? Advice(reconnect: .none)
        case .bayeux, nil: Advice(reconnect: .handshake)
        }
    }

    /// Why the client's connection types do not do; nil when one is in common.
    private func refusal(of types: JSONSlice, text: RawSpan) -> BayeuxError? {
        guard types.isTruthy(in: text) else { return .missing("supportedConnectionTypes") }
        // The name of one by itself is no list; Faye refuses it as well.
        guard let offered = types.strings(in: text) else {
            return .connectionTypes(types.string(in: text).map { [$0] } ?? [])
        }
        return offered.contains(where: { isOffered($0) }) ? nil : .connectionTypes(offered)
    }

    /// Whether a connection type is one that is offered; byte by byte, for to compare texts takes more than linear time.
    private func isOffered(_ type: String) -> Bool {
        offeredTypes.contains { $0.isSame(as: type) }
    }

    /// `/meta/connect` (Bayeux 1.0 §4.2): binds a WebSocket, keeps the session alive, fetches what waits for it.
    mutating func connect(_ request: Request, text: RawSpan, now: Moment, into outbox: inout Outbox) {
        var error = ReplyError(sentIn: request, text: text)
        var advice = Advice(reconnect: .handshake)
        let session = self.session(of: request, text: text)
        if case .failure(let refusal) = session {
            error = .bayeux(refusal)
            if refusal.code == 401 { advice = expiredAdvice() }
        }
        let type = request.envelope.connectionType
        if !type.isTruthy(in: text) {
            error = .bayeux(.missing("connectionType"))
        } else {
            let name = type.string(in: text)
            if name.map({ isOffered($0) }) != true {
                error = .bayeux(.connectionTypes([name ?? type.json(in: text)]))
            }
        }
        if rules != nil, error == nil, case .success(let session) = session,
            let refusal = refusal(ofConnecting: request, session, now: now, into: &outbox)
        {
            error = .bayeux(refusal)
            // Who can come by a new token does so with a handshake.
            advice = refusal == .tokenExpired ? expiredAdvice() : refusedAdvice(error)
        }
        guard error == nil, case .success(let session) = session else {
            if case .sent = error { advice = refusedAdvice(error) }
            reply(to: request, text: text, error, withClientID: false, into: &outbox) { bytes in
                bytes += #""advice":\#(advice.json),"#.utf8
            }
            return
        }
        accept(request, text: text, for: session, now: now, into: &outbox)
    }

    /// Binds and answers, or holds, a connect that is good.
    private mutating func accept(
        _ request: Request, text: RawSpan, for session: Session, now: Moment, into outbox: inout Outbox
    ) {
        session.expiresAt = now.adding(limits.timeout * 2)
        place(session, at: caller?.address)
        let peer = request.peer
        let isBeat =
            session.acknowledgements == nil && request.envelope.connectionType.equals("eventsource", in: text)
        if isBeat { session.record.beat(peer) } else { session.record.connect(peer) }
        if peer.kind == .socket { release(peer.connection, unlessBoundTo: session, into: &outbox) }
        let asked = ExtensionFields(of: request.envelope)
        if session.acknowledgements == nil {
            // Not of a broker that stops: it may have set out before what is on its way.
            if hasAnswer(peer, of: session), !isStopping { confirmAnswered(session, now: now) }
        } else {
            acknowledge(asked.acknowledgedBatch(in: text), of: session, now: now, into: &outbox)
        }

        let timeout = timeout(of: request, text: text)
        let isPoll = peer.kind == .exchange || session.acknowledgements != nil
        let mustAnswer =
            isStopping || timeout == .zero || !session.hasConnected
            || peer.kind == .exchange && !request.isAlone
            || isPoll && session.hasWaiting
            || session.wantsConfirmation
        session.hasConnected = true
        session.wantsConfirmation = false
        var extensions = ReplyExtension()
        // Of a connect that is held the client could not tell the lag.
        if mustAnswer { asked.addTimesync(now: now, in: text, to: &extensions) }
        if isBeat {
            return beat(session, request, text: text, extensions, now: now, into: &outbox)
        }
        let id = request.envelope.id.isTruthy(in: text) ? request.envelope.id.json(in: text) : ""
        let connect = HeldConnect(
            peer: peer, isPoll: isPoll, id: id, extensions: extensions, deadline: now.adding(timeout))

        let action = session.link.receiveConnect(connect, mustAnswer: mustAnswer)
        if let socket = action.detach {
            unbind(socket, from: session)
            // It may be half open: the client would not have come over another one for nothing.
            lose(session)
        }
        if isPoll, session.acknowledgements == nil, let batch = asked.acknowledgedBatch(in: text) {
            beginAcknowledging(session, batch, now: now, into: &outbox)
        }
        if let older = action.answerOlder {
            unbindPoll(older)
            answerWithoutMessages(older, of: session, into: &outbox)
        }
        if let socket = action.attach {
            bind(socket, to: session)
            session.hasStream = false
        }
        if isPoll, !action.answer { bindings[peer.connection] = session.handle }
        if !isPoll { pushWaiting(for: session, to: peer.connection, now: now, into: &outbox) }
        if action.answer { answer(connect, of: session, now: now, into: &outbox) }
        if isPoll { readOn(session, now: now, into: &outbox) }
        schedule(session)
    }

    /// Whether a connect says that the answer to the last one has come, and what was written before that. It does not over
    /// another connection than the one that messages are written to, while that is taken for open: it may be half open,
    /// and have swallowed them. (A beat beside an event stream always comes over another one.)
    func hasAnswer(_ peer: Peer, of session: Session) -> Bool {
        guard let bound = session.link.connection else { return true }
        return bound == peer.connection
    }

    /// A client has come down to polling, and from now on says what it has. The session may be one that did so before the
    /// broker was started again: then the batch has a place.
    private mutating func beginAcknowledging(
        _ session: Session, _ batch: Int64, now: Moment, into outbox: inout Outbox
    ) {
        session.acknowledgements = Acknowledgements(position: position(of: session), isRestored: true)
        session.catchUp?.beginAcknowledging()
        acknowledge(batch, of: session, now: now, into: &outbox)
    }

    /// A client says what it has; what it has not is sent again, before anything newer.
    private mutating func acknowledge(
        _ batch: Int64?, of session: Session, now: Moment, into outbox: inout Outbox
    ) {
        switch session.acknowledgements?.receive(batch) {
        case .received(let place, let missing)?:
            switch place {
            case .log(let position)?: confirm(session, position, now: now)
            case .replay?: acknowledgeReplay(of: session, now: now, into: &outbox)
            case nil: break
            }
            if missing.contains(where: \.isOfReplay) {
                session.replays.forgetSent()
                session.catchUp?.repeatReplay()
            }
            sendAgain(missing, to: session)
        case .restored(.log(let position))? where position <= lastSequence:
            session.catchUp?.skip(through: position)
            confirm(session, position, now: now)
        case .restored(.replay(let part, let position))? where position <= lastSequence:
            // The numbers of replays may have begun anew since.
            let last = session.replays.lastRestoredPart
            let replay = session.catchUp?.skip(
                replay: { $0 <= last && Acknowledgements.Place.means(part, $0) }, through: position)
            guard let replay else { return }
            session.replays.send(replay.items, through: position)
            acknowledgeReplay(of: session, now: now, into: &outbox)
        case .restored?, nil: break
        }
    }

    private mutating func sendAgain(_ missing: [Acknowledgements.Batch], to session: Session) {
        defer { weigh(session) }
        let patterns = session.subscriptions.patterns
        var messages: [Publication] = []
        var logged: ClosedRange<UInt64>?
        func add(_ range: ClosedRange<UInt64>?) {
            if let range { logged = Gap.hull(logged, range) }
        }
        for var batch in missing {
            noteDropped(batch.messages.lostCount, of: session)
            messages += batch.messages.takeAll(epoch: epoch, patterns: patterns)
            add(batch.logged)
        }
        if session.catchUp != nil {
            var queue = MessageQueue()
            add(queue.prepend(messages, within: limits))
            if !queue.isEmpty { session.catchUp?.prepend(queue) }
            if let logged { session.catchUp?.prepend(missed: logged) }
        } else {
            if !messages.isEmpty { add(changeQueue(of: session) { [limits] in $0.prepend(messages, within: limits) }) }
            if let logged { catchUp(session) { $0.addMissed(logged) } }
        }
    }

    /// How long the client lets its connect be held: `advice.timeout` (ms), at most what the broker allows.
    private func timeout(of request: Request, text: RawSpan) -> Duration {
        guard request.envelope.advice.kind == .object,
            let asked = request.envelope.advice.member("timeout", in: text).double(in: text)
        else { return limits.timeout }
        let allowed = Double(limits.timeout.milliseconds)
        return .milliseconds(Int(min(max(asked, 0), allowed)))
    }

    /// `/meta/disconnect` (Bayeux 1.0 §4.3): the held connect is answered, then this message, then the socket closes.
    mutating func disconnect(_ request: Request, text: RawSpan, now: Moment, into outbox: inout Outbox) {
        let error = ReplyError(sentIn: request, text: text)
        switch session(of: request, text: text) {
        case .failure(let refusal):
            reply(to: request, text: text, .bayeux(refusal), withClientID: false, into: &outbox)
        case .success where error != nil:
            reply(to: request, text: text, error, withClientID: false, into: &outbox)
        case .success(let session):
            let socket = end(session, .disconnect, advice: Advice(reconnect: .none), now: now, into: &outbox)
            reply(to: request, text: text, nil, into: &outbox)
            if let socket {
                outbox.append(.close(socket))
            } else if request.peer.kind == .socket, bindings[request.peer.connection] == nil {
                outbox.append(.close(request.peer.connection))
            }
        }
    }

    /// The session that a message names, or what is wrong with the name.
    func session(of request: Request, text: RawSpan) -> Result<Session, BayeuxError> {
        guard request.envelope.clientId.isTruthy(in: text) else { return .failure(.missing("clientId")) }
        guard let clientID = request.envelope.clientId.string(in: text) else {
            return .failure(.unknownClient(request.envelope.clientId.json(in: text)))
        }
        guard let handle = handles[clientID], let session = sessions[Int(handle)] else {
            return .failure(.unknownClient(clientID))
        }
        return .success(session)
    }

    /// The session that a message names, if there is one. Mostly it is that of the connection, and not looked up.
    func knownSession(of request: Request, text: RawSpan) -> Session? {
        if let handle = bindings[request.peer.connection], let bound = sessions[Int(handle)],
            bound.isNamed(by: request.envelope.clientId, in: text)
        {
            return bound
        }
        return try? session(of: request, text: text).get()
    }
}

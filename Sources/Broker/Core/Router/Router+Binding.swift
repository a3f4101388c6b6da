/// Binding connections to sessions, answering held connects.
extension Router {
    /// A socket turns to `session`: one that it was bound to before has its connect answered and loses the socket.
    mutating func release(
        _ connection: ConnectionID, unlessBoundTo session: Session, into outbox: inout Outbox
    ) {
        guard let handle = bindings[connection], handle != session.handle, let other = sessions[Int(handle)] else {
            return
        }
        let (held, socket) = other.link.release()
        if let socket { unbind(socket, from: other) }
        if let held {
            unbindPoll(held)
            answerWithoutMessages(held, of: other, into: &outbox)
        }
    }

    mutating func bind(_ connection: ConnectionID, to session: Session) {
        bindings[connection] = session.handle
        forgetSpeed(of: session)
        routing.route(session.handle, to: session.openConnection)
    }

    mutating func unbind(_ connection: ConnectionID, from session: Session) {
        bindings[connection] = nil
        forgetSpeed(of: session)
        routing.route(session.handle, to: nil)
    }

    /// What is known of the last connection's speed says nothing of the next one.
    private func forgetSpeed(of session: Session) {
        session.uptake = .ready
    }

    /// A held connect is about to be answered: its connection is no longer the session's.
    mutating func unbindPoll(_ held: HeldConnect) {
        if held.isPoll { bindings[held.peer.connection] = nil }
    }

    /// A connect is about to be answered: the next one says that what was sent before has arrived. Of a broker that stops
    /// nothing is written any more, which the router does not know, so what counts is what was on its way when it began to.
    mutating func noteAnswer(to session: Session) {
        if !isStopping { session.noteAnswer(position: position(of: session)) }
    }

    /// Answers a connect, with what waits for the session if messages travel with the answer.
    mutating func answer(_ held: HeldConnect, of session: Session, now: Moment, into outbox: inout Outbox) {
        guard held.isPoll else {
            noteAnswer(to: session)
            return answerWithoutMessages(held, of: session, into: &outbox)
        }
        // The reply may complete an HTTP response, so what the response carries comes before it.
        let messages = pushWaiting(for: session, to: held.peer.connection, now: now, into: &outbox)
        let position = position(of: session)
        noteAnswer(to: session)
        let place = session.catchUp?.begun.map { Acknowledgements.Place.replay(part: $0.part, $0.position) }
        let batch = session.acknowledgements?.send(messages, place: place ?? .log(position))
        if batch != nil {
            weigh(session)
            makeRoom()
        }
        answerWithoutMessages(held, of: session, batch: batch, into: &outbox)
    }

    mutating func answerWithoutMessages(
        _ held: HeldConnect, of session: Session, batch: Int64? = nil, into outbox: inout Outbox
    ) {
        var extensions = held.extensions
        if let batch { extensions.add(#""ack":\#(batch)"#) }
        let advice = isStopping ? drainAdvice() : successAdvice
        reply(to: held, of: session, nil, into: &outbox) { bytes in
            bytes += #""advice":\#(advice.json),"#.utf8
            extensions.append(to: &bytes)
        }
    }
}

/// Sessions that get something from the log: after a subscription, a lost connection, a new start of the broker, or
/// when their queue overflows.
///
/// Until a session is through with that its messages wait in its queue, wherever it is connected.
extension Router {
    /// Up to where in the log a session's client has everything, or it is on its way.
    func position(of session: Session) -> UInt64 {
        if let catchUp = session.catchUp { return catchUp.position }
        return session.queue.firstSequence.map { $0 - 1 } ?? lastSequence
    }

    /// Gives a session something to catch up with.
    mutating func catchUp(_ session: Session, _ add: (inout CatchUp) -> Void) {
        var catchUp = session.catchUp ?? newCatchUp(of: session)
        add(&catchUp)
        guard !catchUp.isOver else { return }
        session.catchUp = catchUp
        routing.route(session.handle, to: nil)
    }

    private func newCatchUp(of session: Session) -> CatchUp {
        CatchUp(position: position(of: session), acknowledges: session.acknowledgements != nil)
    }

    /// Reads what the session needs next, if that can be done now.
    mutating func readOn(_ session: Session, now: Moment, into outbox: inout Outbox) {
        let isBeforePart = session.catchUp?.isBeforePart == true
        if isBeforePart, session.joinCount > 0 { return }
        let address = isBeforePart ? session.address : nil
        if let address, !mayRead(session, at: address) { return }
        guard let read = session.catchUp?.nextRead() else { return }
        let operation = PendingOperation.catchUp(clientID: session.clientID, address: address)
        switch read {
        case .plan(let plan):
            submit(operation, to: &outbox) { .readOn($0, plan) }
        case .part(.backlog(var request), let interest):
            request.wall = now.wall
            submit(operation, to: &outbox) { .readBacklog($0, request, for: interest) }
        case .part(.missed(let range), let interest):
            let request = BacklogRequest(
                items: session.subscriptions.entries.map {
                    SubscriptionItem($0.pattern, replay: .after(max($0.since, range.lowerBound - 1)))
                }, through: range.upperBound, limit: limits.replayedMessages, wall: now.wall)
            submit(operation, to: &outbox) { .readBacklog($0, request, for: interest) }
        }
    }

    /// Whether a session may look for a part of the past. If not, it does so when others of its address are through; one
    /// that has come from elsewhere meanwhile does not wait for those there any more.
    private mutating func mayRead(_ session: Session, at address: IPAddress) -> Bool {
        if session.waitsAt == address.neighbourhood { return false }
        if readShares.begin(at: address) {
            session.waitsAt = nil
            return true
        }
        session.waitsAt = address.neighbourhood
        readShares.queue(.session(session.clientID), at: address)
        return false
    }

    /// A part of the past has been looked for: others of the same address go on, unless they are gone.
    mutating func endRead(at address: IPAddress, now: Moment, into outbox: inout Outbox) {
        readShares.end(at: address)
        while let reader = readShares.next(at: address) {
            switch reader {
            case .session(let clientID):
                guard let handle = handles[clientID], let session = sessions[Int(handle)],
                    session.waitsAt == address.neighbourhood
                else { continue }
                session.waitsAt = nil
                readOn(session, now: now, into: &outbox)
            case .history(let request):
                if isOpen(request.connection), readShares.begin(at: address) {
                    read(request, at: address, now: now, into: &outbox)
                } else {
                    settle(request.connection, into: &outbox)
                }
            }
        }
    }

    /// The store has read a page, or could not; then the session goes on with what it can have, and is told.
    mutating func finishRead(
        clientID: String, _ backlog: Backlog?, now: Moment, into outbox: inout Outbox
    ) {
        guard let handle = handles[clientID], let session = sessions[Int(handle)] else { return }
        if let backlog {
            if !backlog.losses.isEmpty { session.record.missedSome = true }
            session.catchUp?.receive(publications(of: backlog), rest: backlog.rest)
        } else if let part = session.catchUp?.fail() {
            session.record.missedSome = true
            for loss in losses(of: part, session) { queue(loss, for: session, into: &outbox) }
        }
        noteReplayed(session, now: now)
        if session.catchUp?.isAcknowledged == true { acknowledgeReplay(of: session, now: now, into: &outbox) }
        goOn(session, now: now, into: &outbox)
    }

    /// Hands out what there is now, or reads what comes next.
    mutating func goOn(_ session: Session, now: Moment, into outbox: inout Outbox) {
        guard let catchUp = session.catchUp, catchUp.hasPage || catchUp.isOver else {
            return readOn(session, now: now, into: &outbox)
        }
        if let connection = session.link.connection {
            pushWaiting(for: session, to: connection, now: now, into: &outbox)
        } else if session.link.deadline != nil {
            if catchUp.isOver { finishCatchUp(session) }
            if session.hasWaiting { readyPolls.append(session.handle) }
        } else if catchUp.isOver {
            finishCatchUp(session)
        }
    }

    /// What a session is told when a part of the past cannot be read: a gap on everything that it is subscribed to.
    private func losses(of part: CatchUp.Part, _ session: Session) -> [Publication] {
        switch part {
        case .missed(let range):
            session.subscriptions.entries.map { Publication(Gap(sequences: range), on: $0.pattern.text, epoch: epoch) }
        case .backlog(let request):
            request.items.compactMap { item in
                guard let start = item.start, start < request.through else { return nil }
                return Publication(Gap(sequences: start + 1...request.through), on: item.pattern.text, epoch: epoch)
            }
        }
    }

    /// From now on messages go out as they come.
    private mutating func finishCatchUp(_ session: Session) {
        counters.recover(completely: !session.record.missedSome)
        session.record.missedSome = false
        session.wantsConfirmation = session.catchUp?.isResumption == true && session.acknowledgements == nil
        session.catchUp = nil
        openRoute(of: session)
    }

    /// Messages of a session that is connected, and has nothing else to get first, go out as they come.
    mutating func openRoute(of session: Session) {
        if let connection = session.openConnection { routing.route(session.handle, to: connection) }
    }

    /// A connection does not take what is written to it: from now on its session's messages wait, within the bounds of
    /// its queue, until `drained`.
    package mutating func congest(_ connection: ConnectionID) {
        guard let handle = bindings[connection], let session = sessions[Int(handle)],
            session.link.connection == connection
        else { return }
        session.uptake = .congested
        routing.route(handle, to: nil)
    }

    /// Answers a connect that is held: with the next one the client says that it has what it has caught up with, and does
    /// not get it once more if its connection is lost again.
    private mutating func askForConfirmation(_ session: Session, now: Moment, into outbox: inout Outbox) {
        guard session.wantsConfirmation, let held = session.link.advance(to: .max) else { return }
        session.wantsConfirmation = false
        answer(held, of: session, now: now, into: &outbox)
    }

    /// A connection has taken most of what was written to it.
    package mutating func drained(_ connection: ConnectionID, now: Moment, into outbox: inout Outbox) {
        guard let handle = bindings[connection], let session = sessions[Int(handle)] else { return }
        let hasWaited = session.uptake != .ready
        if session.link.connection == connection { session.uptake = .ready }
        if session.catchUp == nil { openRoute(of: session) }
        if hasWaited || session.catchUp?.hasPage == true, session.link.connection == connection {
            pushWaiting(for: session, to: connection, now: now, into: &outbox)
        } else {
            readOn(session, now: now, into: &outbox)
        }
    }

    /// Writes what waits for a session: a page of what it catches up with, or else its queue. Nothing of it when the batch
    /// that asks for it has had so much already.
    @discardableResult
    mutating func pushWaiting(
        for session: Session, to connection: ConnectionID, now: Moment, into outbox: inout Outbox
    ) -> [Publication] {
        if session.rights.isSuspended { return [] }
        if pushBudget.isSpent(limits.queuedBytes), holdBack(session, from: connection, now: now, into: &outbox) {
            return []
        }
        let patterns = session.subscriptions.patterns
        var messages = session.catchUp?.takePage(epoch: epoch, patterns: patterns) ?? []
        if !messages.isEmpty { weigh(session) }
        noteReplayed(session, now: now)
        if session.catchUp?.isOver == true { finishCatchUp(session) }
        if session.catchUp == nil, !session.queue.isEmpty {
            messages += changeQueue(of: session) { [epoch] in $0.takeAll(epoch: epoch, patterns: patterns) }
        }
        for publication in messages { outbox.append(.push(publication, connection)) }
        pushBudget.spend(messages)
        if session.catchUp != nil {
            if messages.isEmpty || session.link.connection != connection {
                readOn(session, now: now, into: &outbox)
            } else {
                outbox.append(.awaitDrain(connection))
            }
        } else if session.link.connection == connection {
            askForConfirmation(session, now: now, into: &outbox)
        }
        return messages
    }

    /// Leaves what waits for a session where it is: its next poll brings it, and a connection that it is bound to gets it
    /// when that has taken what was written to it. Whether something waits.
    private mutating func holdBack(
        _ session: Session, from connection: ConnectionID, now: Moment, into outbox: inout Outbox
    ) -> Bool {
        noteReplayed(session, now: now)
        if session.catchUp?.isOver == true { finishCatchUp(session) }
        guard session.hasWaiting else { return false }
        if session.link.connection == connection {
            // Until then nothing newer may overtake it.
            session.uptake.holdBack()
            routing.route(session.handle, to: nil)
            outbox.append(.awaitDrain(connection))
        }
        return true
    }

    /// A connection is gone with what was on its way: the client gets again, with the same numbers, what it is not known
    /// to have. One that acknowledges says itself what it has.
    mutating func lose(_ session: Session) {
        guard session.acknowledgements == nil, !session.isEphemeral else { return }
        session.answeredPosition = session.cursor
        session.replays.forgetSent()
        let position = position(of: session)
        let missed = session.cursor < position ? session.cursor + 1...position : nil
        restartCatchUp(of: session, missed: missed)
    }

    /// A session gets what its client may have missed of what was live, and the rest of its replays.
    mutating func restartCatchUp(of session: Session, missed: ClosedRange<UInt64>?) {
        if missed == nil, session.catchUp == nil, session.replays.pending.isEmpty { return }
        var catchUp =
            session.catchUp
            ?? CatchUp(position: session.cursor, acknowledges: session.acknowledgements != nil)
        catchUp.restart(missed: missed, replays: session.replays.requests(limit: limits.replayedMessages))
        session.catchUp = catchUp.isOver ? nil : catchUp
    }
}

/// Cursors.
extension Router {
    /// A session's client is known to have everything up to `position`.
    mutating func confirm(_ session: Session, _ position: UInt64, now: Moment) {
        guard position > session.cursor else { return }
        session.cursor = position
        noteProgress(of: session, now: now)
    }

    /// A session's client is known to have what it had when it was last noted (`Session.noteAnswer`).
    mutating func confirmAnswered(_ session: Session, now: Moment) {
        confirm(session, session.answeredPosition, now: now)
        confirmReplays(of: session, now: now) { $0.confirmAnswered() }
    }

    /// What a session's client is known to have is to be written down.
    private mutating func noteProgress(of session: Session, now: Moment) {
        guard session.storage == .stored else { return }
        movedCursors.insert(session.handle)
        if cursorDeadline == nil { cursorDeadline = now.adding(limits.cursorInterval) }
    }

    /// Takes down how far a session's replay has been sent. Where nothing had to be sent, there is nothing to wait for.
    private mutating func noteReplayed(_ session: Session, now: Moment) {
        guard let news = session.catchUp?.takeNews(), !session.isEphemeral else { return }
        session.replays.send(news.request.items, through: news.position)
        guard session.acknowledgements != nil, session.catchUp?.begun == nil else { return }
        confirmReplays(of: session, now: now) { $0.confirmSent() }
    }

    /// A session's client is known to have some of its replays.
    mutating func confirmReplays(of session: Session, now: Moment, _ confirm: (inout ReplayProgress) -> Bool) {
        if confirm(&session.replays) { noteProgress(of: session, now: now) }
    }

    /// A client has acknowledged what was sent of its replay: behind the last part of it there is a note to be made first.
    mutating func acknowledgeReplay(of session: Session, now: Moment, into outbox: inout Outbox) {
        session.catchUp?.acknowledge()
        if let begun = session.catchUp?.begun { confirm(session, begun.through, now: now) }
        confirmReplays(of: session, now: now) { $0.confirmSent() }
        guard let catchUp = session.catchUp, catchUp.isUnsettled, let part = catchUp.begun?.part else { return }
        guard session.storage == .stored else { return settle(session.clientID, part: part, now: now, into: &outbox) }
        movedCursors.remove(session.handle)
        let progress = session.takeProgress()
        submit(.settle(clientID: session.clientID, part: part), to: &outbox) { .moveCursors($0, [progress]) }
    }

    /// It is made, or cannot be: the session goes on.
    mutating func settle(_ clientID: String, part: Int64, now: Moment, into outbox: inout Outbox) {
        guard let handle = handles[clientID], let session = sessions[Int(handle)],
            session.catchUp?.isUnsettled == true, session.catchUp?.begun?.part == part
        else { return }
        session.catchUp?.settle()
        goOn(session, now: now, into: &outbox)
    }

    /// Has the store write down how far sessions have come, all of them at once.
    mutating func storeCursors(into outbox: inout Outbox) {
        cursorDeadline = nil
        let cursors = movedCursors.compactMap { sessions[Int($0)]?.takeProgress() }
        movedCursors.removeAll()
        guard !cursors.isEmpty else { return }
        submit(.note, to: &outbox) { .moveCursors($0, cursors) }
    }
}

extension Session {
    /// Whether there is something that can be written now.
    var hasWaiting: Bool { catchUp.map(\.hasPage) ?? !queue.isEmpty }

    /// Where messages go as they come; nil while they wait.
    var openConnection: ConnectionID? {
        catchUp == nil && uptake == .ready && !rights.isSuspended ? link.connection : nil
    }

    /// How far it has come, to be written down.
    fileprivate func takeProgress() -> SessionProgress {
        SessionProgress(clientID, cursor: cursor, replayed: replays.takeUnwritten())
    }
}

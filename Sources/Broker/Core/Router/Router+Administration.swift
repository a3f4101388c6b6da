/// Answers for the administrator.
extension Router {
    /// Asks something; the answer is a `report`.
    package mutating func answer(
        _ query: AdminQuery, for connection: ConnectionID, now: Moment, into outbox: inout Outbox
    ) {
        let answer =
            switch query {
            case .statistics: AdminAnswer.statistics(statistics)
            case .channels(let pattern, let page): channels(within: pattern, page)
            case .sessions(let page): sessions(page, now: now)
            case .session(let tag): describe(tag, now: now)
            case .kick(let tag): kick(tag, now: now, into: &outbox)
            case .endings(let tag, let limit): endings(of: tag, limit: limit)
            }
        outbox.append(.report(connection, answer))
    }

    /// What there is now.
    package var statistics: RouterStatistics {
        RouterStatistics(
            sessionCount: sessionCount, subscriptionCount: subscriptionCount,
            wildcardSubscriptionCount: routing.wildcardSubscriptionCount, patternCount: routing.patternCount,
            publishedCount: publishedCount, deliveredCount: deliveredCount, queuedBytes: queuedBytes,
            pendingOperationCount: work.operationCount, pendingPublicationCount: work.publicationCount,
            lastSequence: lastSequence, epoch: epoch)
    }

    private func channels(within pattern: ChannelPattern?, _ page: AdminPage) -> AdminAnswer {
        var reports: [ChannelReport] = []
        let next = page.read(of: routing.patternCount) { place in
            let (text, count) = routing.entry(at: place)
            if let pattern, !pattern.holds(text) { return false }
            reports.append(ChannelReport(pattern: text, subscriberCount: count))
            return true
        }
        return .channels(reports, next: next)
    }

    private func sessions(_ page: AdminPage, now: Moment) -> AdminAnswer {
        var reports: [SessionReport] = []
        let next = page.read(of: sessions.count) { place in
            guard let session = sessions[place] else { return false }
            reports.append(SessionReport(of: session, now: now))
            return true
        }
        return .sessions(reports, next: next)
    }

    private func describe(_ tag: SessionTag, now: Moment) -> AdminAnswer {
        switch session(with: tag) {
        case .success(let session):
            let subscriptions = session.subscriptions.patterns.map(\.text).sorted()
            return .session(SessionReport(of: session, now: now), subscriptions: subscriptions)
        case .failure(let refusal): return refusal.answer
        }
    }

    private mutating func kick(_ tag: SessionTag, now: Moment, into outbox: inout Outbox) -> AdminAnswer {
        switch session(with: tag) {
        case .success(let session):
            let shown = SessionTag(of: session.clientID)
            let error = BayeuxError.endedByAdministrator(session.clientID)
            let advice = Advice(reconnect: .none)
            if let socket = end(session, .kicked, advice: advice, error: error, now: now, into: &outbox) {
                outbox.append(.close(socket))
            }
            return .kicked(shown)
        case .failure(let refusal): return refusal.answer
        }
    }

    private func endings(of tag: SessionTag?, limit: Int) -> AdminAnswer {
        let found = recorder.last(min(max(limit, 0), AdminPage.maximumCount), of: tag)
        guard let tag, found.isEmpty else { return .endings(found) }
        if case .success = session(with: tag) { return .notEnded(tag, isAlive: true) }
        return .notEnded(tag, isAlive: false)
    }

    /// Remembers a session that ends.
    mutating func note(_ session: Session, _ reason: EndReason, now: Moment) {
        counters.end(reason)
        let record = session.record
        recorder.record(
            EndedSession(
                tag: SessionTag(of: session.clientID), reason: reason, startedAt: record.startedAt, endedAt: now.wall,
                transport: record.transport, address: record.address, lost: record.lost,
                publishedCount: record.publishedCount, deliveredCount: routing.deliveredCount(of: session.handle),
                droppedCount: record.droppedCount, waitingCount: session.queue.count,
                subscriptionCount: session.subscriptions.count))
    }

    private struct NoSession: Error {
        let answer: AdminAnswer
    }

    /// The one session that a tag names. Linear in the sessions.
    private func session(with tag: SessionTag) -> Result<Session, NoSession> {
        var found: Session?
        for case let session? in sessions where tag.names(session.clientID) {
            if found != nil { return .failure(NoSession(answer: .ambiguous(tag))) }
            found = session
        }
        return found.map { .success($0) } ?? .failure(NoSession(answer: .unknown(tag)))
    }
}

extension AdminPage {
    /// Visits places from `start` on until enough of them have yielded an item, or so many were looked at that it is
    /// somebody else's turn; where to go on, nil at the end.
    fileprivate func read(of count: Int, _ visit: (Int) -> Bool) -> Int? {
        var place = start
        var itemCount = 0
        while place < count {
            if itemCount == limit || place - start == Self.maximumPlaces { return place }
            if visit(place) { itemCount += 1 }
            place += 1
        }
        return nil
    }
}

extension SessionReport {
    init(of session: Session, now: Moment) {
        tag = SessionTag(of: session.clientID)
        state =
            switch session.link {
            case .attached: .connected
            case .holding: .connected
            case .polling: .polling
            case .away: .away
            }
        subscriptionCount = session.subscriptions.count
        queuedMessageCount = session.queue.count
        queuedBytes = session.queue.byteCount
        isSlow = session.uptake == .congested
        acknowledges = session.acknowledgements != nil
        isStored = session.storage == .stored
        isStream = session.isEphemeral
        cursor = session.cursor
        timeLeft =
            session.isEphemeral
            ? nil : .nanoseconds(session.expiresAt - min(session.expiresAt, now.monotonic))
    }
}

/// Who may do what. Everything here is asked only where there are rules.
///
/// A message is its own token's, or else its session's, or else its connection's. A session is somebody's from the first
/// token on; nobody else's token goes with it. When its token expires, nothing goes in or out until a new one comes, and
/// the session ends when none does.
extension Router {
    /// Who sent a message: about a session, in its name.
    mutating func identify(
        _ request: Request, _ session: Session?, now: Moment, into outbox: inout Outbox
    ) -> Result<Caller, BayeuxError> {
        var caller = caller ?? Caller(isBrowser: true)
        if caller.isTrusted { return .success(caller) }
        if let token = caller.tokens[request.index] {
            switch token {
            case .failure(let refusal): return .failure(refusal)
            case .success(let principal):
                if let refusal = refusal(of: principal, now: now) { return .failure(refusal) }
                caller.principal = principal
                return identify(caller, isNew: true, session, now: now, into: &outbox)
            }
        }
        if let refusal = caller.refusal ?? caller.principal.flatMap({ self.refusal(of: $0, now: now) }) {
            // What the connection began with has expired; the session may have got something newer since.
            guard session?.rights.principal != nil, refusal == .tokenExpired else { return .failure(refusal) }
            caller.principal = nil
        }
        return identify(caller, isNew: false, session, now: now, into: &outbox)
    }

    private mutating func identify(
        _ caller: Caller, isNew: Bool, _ session: Session?, now: Moment, into outbox: inout Outbox
    ) -> Result<Caller, BayeuxError> {
        guard let session else { return .success(caller) }
        var caller = caller
        if let presented = caller.principal {
            if let own = session.rights.principal, own.subject != presented.subject {
                return .failure(.otherSession)
            }
            let isNewer = presented.expiresAt > session.rights.principal?.expiresAt ?? .min
            // Its own token says nothing new. Clients put it into each message, and a session may have many subscriptions.
            let isOther = presented !== session.rights.principal
            if isOther, isNew || isNewer || session.rights.principal.map({ !isOfKnownKey($0) }) ?? false {
                give(presented, to: session, now: now)
                if let other = session.rights.principal, !session.rights.mustBeReviewed {
                    review(session, Caller(principal: other, isBrowser: caller.isBrowser), now: now, into: &outbox)
                }
                resume(session, now: now, into: &outbox)
            }
        }
        if let own = session.rights.principal {
            if let refusal = refusal(of: own, now: now) { return .failure(refusal) }
            if session.rights.isSuspended {
                // The clocks differ: by the one that tokens count in there is time left.
                give(own, to: session, now: now)
                resume(session, now: now, into: &outbox)
            }
            caller.principal = own
        }
        return .success(caller)
    }

    /// Why the token that a connection or a request brought does not count.
    private func refusal(of caller: Caller, now: Moment) -> BayeuxError? {
        caller.refusal ?? caller.principal.flatMap { refusal(of: $0, now: now) }
    }

    /// Why what a token said does not count any more.
    private func refusal(of principal: Principal, now: Moment) -> BayeuxError? {
        if principal.expiresAt <= now.wall || !isOfKnownKey(principal) { return .tokenExpired }
        return !revocations.isEmpty && revocations.cover(principal) ? .tokenRevoked : nil
    }

    /// A refusal, once it is counted.
    mutating func counted(_ refusal: BayeuxError) -> BayeuxError {
        counters.refuse(refusal)
        return refusal
    }

    /// Why somebody who asks over plain HTTP may not do that; nil when they may. A publication counts for the rate of the
    /// token's subject, once it is known that the token counts.
    mutating func refusal(
        of caller: Caller?, _ verb: AccessVerb, _ target: ChannelPattern, now: Moment
    ) -> BayeuxError? {
        let caller = caller ?? Caller(isBrowser: true)
        if let refusal = refusal(of: caller, now: now) { return counted(refusal) }
        guard let rules else { return nil }
        if verb == .publish, let excess = excess(ofCredentialOf: caller, now: now) { return excess }
        let decision = rules.decide(verb, target, caller)
        if decision.isAllowed { return nil }
        let wouldTokenDo = caller.principal == nil && decision.audience != .nobody
        return counted(.denied(verb, target.text, code: wouldTokenDo ? 401 : 403))
    }

    /// Why a message may not be published; nil when it may. Services decide themselves about good tokens.
    mutating func refusal(
        ofPublishing request: Request, to channel: ChannelName, text: RawSpan, now: Moment, into outbox: inout Outbox
    ) -> BayeuxError? {
        let session = knownSession(of: request, text: text)
        switch identify(request, session, now: now, into: &outbox) {
        case .failure(let refusal): return counted(refusal)
        case .success(let caller):
            guard let rules else { return nil }
            if let excess = excess(ofCredentialOf: caller, now: now) { return excess }
            if channel.isService { return nil }
            return rules.decide(.publish, channel, caller).isAllowed ? nil : counted(.denied(.publish, channel.text))
        }
    }

    /// Who subscribes; nil where there are no rules, and when there is no such session.
    mutating func identity(
        of request: Request, text: RawSpan, now: Moment, into outbox: inout Outbox
    ) -> Result<Caller, BayeuxError>? {
        guard rules != nil, let session = try? session(of: request, text: text).get() else { return nil }
        return identify(request, session, now: now, into: &outbox)
    }

    /// Takes away the patterns from the first on that may not be subscribed to; why.
    func refusal(of identity: Result<Caller, BayeuxError>, _ patterns: inout [ChannelPattern]) -> BayeuxError? {
        switch identity {
        case .failure(let refusal):
            patterns = []
            return refusal
        case .success(let caller):
            guard let rules,
                let denied = patterns.firstIndex(where: { !rules.decide(.subscribe, $0, caller).isAllowed })
            else { return nil }
            let text = patterns[denied].text
            patterns.removeSubrange(denied...)
            return .denied(.subscribe, text)
        }
    }

    /// Why a connect is refused; nil when it is not.
    mutating func refusal(
        ofConnecting request: Request, _ session: Session, now: Moment, into outbox: inout Outbox
    ) -> BayeuxError? {
        switch identify(request, session, now: now, into: &outbox) {
        case .failure(let refusal): counted(refusal)
        case .success(let caller): refusal(ofRestored: session, caller, now: now, into: &outbox)
        }
    }

    /// Why somebody may not have the event stream of a session; nil when they may.
    mutating func refusal(
        ofStreaming session: Session, to caller: Caller?, now: Moment, into outbox: inout Outbox
    ) -> BayeuxError? {
        let caller = caller ?? Caller(isBrowser: true)
        if let refusal = refusal(of: caller, now: now) { return counted(refusal) }
        switch identify(caller, isNew: false, session, now: now, into: &outbox) {
        case .failure(let refusal): return counted(refusal)
        case .success(let caller): return refusal(ofRestored: session, caller, now: now, into: &outbox)
        }
    }

    /// A session of before the broker was started again goes on if whoever continues it may have all that it is subscribed
    /// to. If not, its client begins anew, as one does that the broker has forgotten, and shows its token then.
    private mutating func refusal(
        ofRestored session: Session, _ caller: Caller, now: Moment, into outbox: inout Outbox
    ) -> BayeuxError? {
        guard session.rights.mustBeReviewed, let rules else { return nil }
        session.rights.mustBeReviewed = false
        if session.subscriptions.patterns.allSatisfy({ rules.decide(.subscribe, $0, caller).isAllowed }) { return nil }
        if let socket = end(session, .denied, advice: expiredAdvice(), now: now, into: &outbox) {
            outbox.append(.close(socket))
        }
        return .unknownClient(session.clientID)
    }
}

/// Tokens of sessions: new ones, expired ones, revoked ones.
extension Router {
    /// A session is somebody's from now on.
    mutating func give(_ principal: Principal, to session: Session, now: Moment) {
        session.rights.principal = principal
        session.rights.end = now.adding(.milliseconds(max(principal.expiresAt - now.wall, 0)))
        if session.isEphemeral { session.expiresAt = session.rights.end }
        schedule(session)
    }

    /// A session has another token, or there are other rules: what those do not let it have ends, what waits of it is
    /// gone, and its client is told. All else goes on, replays where they are. Returns whether something has ended.
    @discardableResult
    mutating func review(_ session: Session, _ caller: Caller, now: Moment, into outbox: inout Outbox) -> Bool {
        guard let rules else { return false }
        session.rights.reviewCount &+= 1
        let lost = session.subscriptions.patterns.filter { !rules.decide(.subscribe, $0, caller).isAllowed }
        guard !lost.isEmpty else { return false }
        for pattern in lost where removeSubscription(to: pattern, of: session) {
            tell(.unsubscribe(clientID: session.clientID, pattern: pattern.text), into: &outbox)
        }
        let kept = session.subscriptions.patterns
        func isKept(_ channel: String) -> Bool {
            !lost.contains { $0.holds(channel) } || kept.contains { $0.holds(channel) }
                || channel.hasPrefix("/meta/")
        }
        session.catchUp?.restrict(to: { !lost.contains($0) }, messages: isKept)
        changeQueue(of: session) { $0.keep(where: isKept) }
        goOn(session, now: now, into: &outbox)
        let clientID = session.clientID
        if session.storage != .unknown {
            submit(.note, to: &outbox) { .unsubscribe($0, clientID: clientID, patterns: lost) }
        }
        for pattern in lost where !session.isEphemeral {
            let denial = BayeuxError.denied(.subscribe, pattern.text)
            hand(Publication(endOf: pattern, of: clientID, because: denial), to: session, into: &outbox)
        }
        return true
    }

    /// Gives a message to one session, behind those that it has got.
    private mutating func hand(_ publication: Publication, to session: Session, into outbox: inout Outbox) {
        if let connection = session.openConnection {
            outbox.append(.push(publication, connection))
        } else {
            queue(publication, for: session, into: &outbox)
        }
    }

    /// A session's token has expired: its connect says so, and until another token comes nothing goes out.
    mutating func suspend(_ session: Session, now: Moment, into outbox: inout Outbox) {
        session.rights.isSuspended = true
        session.expiresAt = min(session.expiresAt, now.adding(limits.tokenGrace))
        routing.route(session.handle, to: nil)
        answerHeld(of: session, .tokenExpired, advice: expiredAdvice(), into: &outbox)
    }

    /// Another token has come.
    mutating func resume(_ session: Session, now: Moment, into outbox: inout Outbox) {
        guard session.rights.isSuspended else { return }
        session.rights.isSuspended = false
        session.expiresAt = now.adding(limits.timeout * 2)
        openRoute(of: session)
        if let connection = session.link.connection {
            pushWaiting(for: session, to: connection, now: now, into: &outbox)
        }
        schedule(session)
    }

    /// Answers a connect that is held with an error.
    private mutating func answerHeld(
        of session: Session, _ error: BayeuxError, advice: Advice, into outbox: inout Outbox
    ) {
        guard let held = session.link.advance(to: .max) else { return }
        unbindPoll(held)
        reply(to: held, of: session, error, into: &outbox) { bytes in
            bytes += #""advice":\#(advice.json),"#.utf8
        }
    }

    /// Some tokens do not count any more. The sessions that have them end at once.
    package mutating func revoke(_ entries: [Revocations.Entry], now: Moment, into outbox: inout Outbox) {
        for entry in entries { revocations.insert(entry) }
        for case let session? in sessions {
            guard let principal = session.rights.principal, revocations.cover(principal) else { continue }
            answerHeld(of: session, .tokenRevoked, advice: Advice(reconnect: .none), into: &outbox)
            if let socket = end(session, .revoked, advice: Advice(reconnect: .none), now: now, into: &outbox) {
                outbox.append(.close(socket))
            }
        }
    }
}

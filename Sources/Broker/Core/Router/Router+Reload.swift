/// What may change about access while the broker runs. Sessions that are there are looked at anew.
extension Router {
    /// From now on only tokens count that one of these keys has signed; nil when none are taken at all.
    ///
    /// A session whose token is of another key waits for a new one, as if its token had expired: keys are changed now
    /// and then, and its client can get a token of the next one. Where no tokens are taken, sessions are nobody's.
    package mutating func set(_ keys: Set<TokenKeyIdentity>?, now: Moment, into outbox: inout Outbox) {
        tokenKeys = keys
        for case let session? in sessions {
            guard let principal = session.rights.principal else { continue }
            if keys == nil {
                release(session, now: now, into: &outbox)
            } else if !isOfKnownKey(principal), !session.rights.isSuspended {
                suspend(session, now: now, into: &outbox)
                schedule(session)
            }
        }
    }

    /// From now on these rules hold, and these revocations instead of those before. What sessions are subscribed to and
    /// may not be any more is taken away, with what waits of it; sessions of revoked tokens end.
    package mutating func set(
        _ rules: AccessRules?, revocations entries: [Revocations.Entry], now: Moment, into outbox: inout Outbox
    ) {
        self.rules = rules
        // Where there is nothing to ask, nobody notes who sends.
        caller = nil
        revocations = Revocations()
        revoke(entries, now: now, into: &outbox)
        for case let session? in sessions {
            // One of before the broker was started again: whose it is shows when its client comes.
            if session.rights.mustBeReviewed, !session.hasConnected { continue }
            let caller = session.rights.caller
            guard review(session, caller, now: now, into: &outbox), session.isEphemeral else { continue }
            close(session, .denied, now: now, into: &outbox)
        }
    }

    /// Whether a token is one that counts, as far as its key goes.
    func isOfKnownKey(_ principal: Principal) -> Bool {
        guard let tokenKeys, let key = principal.key else { return true }
        return tokenKeys.contains(key)
    }

    /// No tokens are taken any more: the session is nobody's. Whoever made a stream of channels with one asks again.
    private mutating func release(_ session: Session, now: Moment, into outbox: inout Outbox) {
        session.rights.principal = nil
        session.rights.end = .max
        resume(session, now: now, into: &outbox)
        if session.isEphemeral { close(session, .denied, now: now, into: &outbox) }
    }

    private mutating func close(_ session: Session, _ reason: EndReason, now: Moment, into outbox: inout Outbox) {
        guard let connection = end(session, reason, advice: Advice(reconnect: .none), now: now, into: &outbox) else {
            return
        }
        outbox.append(.close(connection))
    }
}

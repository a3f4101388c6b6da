/// How fast clients may do things. Everything here is asked only while rates are limited, and of clients elsewhere, but
/// for what channels take.
extension Router {
    /// From now on these are the limits. What was used up before is forgotten, but for what sessions did.
    package mutating func set(_ rates: RateLimits) {
        guard rates != self.rates?.limits else { return }
        self.rates = SessionRates(rates)
        caller = nil
    }

    /// Why a message may not be published now; nil when it may.
    mutating func excess(ofPublishing request: Request, text: RawSpan, now: Moment) -> BayeuxError? {
        guard let address = caller?.address else { return nil }
        let session = knownSession(of: request, text: text)
        return note(rates?.publish(Int(request.envelope.data.count), by: session, at: address, now: now.monotonic))
    }

    /// Why somebody who asks over plain HTTP may not publish so many bytes now, whatever token they have.
    mutating func excess(ofPublishing byteCount: Int, by caller: Caller?, now: Moment) -> BayeuxError? {
        guard let address = caller?.address else { return nil }
        return note(rates?.publish(byteCount, by: nil, at: address, now: now.monotonic))
    }

    /// Why a token may not publish now. To be asked of one that counts: its subject has one bucket, which whoever has stolen
    /// a token could empty after it was revoked.
    mutating func excess(ofCredentialOf caller: Caller, now: Moment) -> BayeuxError? {
        guard rates != nil, caller.address != nil, let principal = caller.principal else { return nil }
        return note(rates?.publish(by: principal.subject, now: now.monotonic))
    }

    /// Why a channel does not take so many bytes of data now; nil when it does. Its policy holds for everybody, also on
    /// this machine.
    mutating func excess(
        ofPublishing byteCount: Int, to channel: ChannelName, under policy: ChannelPolicy, now: Moment
    ) -> BayeuxError? {
        // First: what is too large for ever takes nothing of what others may publish.
        if let limit = policy.messageBytes, byteCount > limit { return .tooLarge(channel.text, limit: limit) }
        guard let rate = policy.rate else { return nil }
        return note(
            channelRates.take(from: channel.text, of: rate, now: now.monotonic).map {
                .init(limit: .channel, wait: $0)
            })
    }

    /// Why a session may not make or end so many subscriptions now.
    mutating func excess(ofSubscriptions count: Int, by session: Session, now: Moment) -> BayeuxError? {
        guard caller?.address != nil else { return nil }
        return note(rates?.subscribe(to: count, by: session, now: now.monotonic))
    }

    /// Why there may be no new session now.
    mutating func excessOfHandshakes(now: Moment) -> BayeuxError? {
        guard let address = caller?.address else { return nil }
        return note(rates?.handshake(by: address, now: now.monotonic))
    }

    private mutating func note(_ excess: SessionRates.Excess?) -> BayeuxError? {
        guard let excess else { return nil }
        counters.limit(excess.limit)
        return .tooFast(excess.limit, retryAfter: AddressLedger.seconds(excess.wait))
    }
}

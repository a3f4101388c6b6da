/// What the router limits: how fast sessions, addresses without a session, and credentials do things.
///
/// A session's buckets are its own; those of addresses and credentials stand in tables of a bounded size.
struct SessionRates: Sendable {
    let limits: RateLimits
    private var handshakes: BucketTable<IPAddress>
    /// Of those who publish without a session.
    private var anonymous: BucketTable<IPAddress>
    private var anonymousBytes: BucketTable<IPAddress>
    private var credentials: BucketTable<String>

    /// Nil when there is nothing to limit.
    init?(_ limits: RateLimits) {
        guard limits.limitsSessions else { return nil }
        self.limits = limits
        handshakes = BucketTable(capacity: limits.rememberedCount)
        anonymous = BucketTable(capacity: limits.rememberedCount)
        anonymousBytes = BucketTable(capacity: limits.rememberedCount)
        credentials = BucketTable(capacity: limits.rememberedCount)
    }

    /// Something that there is too much of, and how long it takes until there may be more (ns).
    struct Excess {
        let limit: RateLimits.Limit
        let wait: UInt64
    }

    /// A session is to begin.
    mutating func handshake(by address: IPAddress, now: UInt64) -> Excess? {
        guard let rate = limits.handshakesPerAddress else { return nil }
        return handshakes.take(from: address.neighbourhood, of: rate, now: now).map {
            .init(limit: .handshakes, wait: $0)
        }
    }

    /// So many bytes are to be published by a session, or by an address without one.
    mutating func publish(_ byteCount: Int, by session: Session?, at address: IPAddress, now: UInt64) -> Excess? {
        let address = address.neighbourhood
        if let rate = limits.publishPerSession {
            let wait =
                session.map { $0.usage.publishing.take(of: rate, now: now) }
                ?? anonymous.take(from: address, of: rate, now: now)
            if let wait { return .init(limit: .publish, wait: wait) }
        }
        if let rate = limits.bytesPerSession {
            let wait =
                session.map { $0.usage.sending.take(byteCount, of: rate, now: now) }
                ?? anonymousBytes.take(byteCount, from: address, of: rate, now: now)
            if let wait { return .init(limit: .bytes, wait: wait) }
        }
        return nil
    }

    /// A token's subject is to publish.
    mutating func publish(by subject: String, now: UInt64) -> Excess? {
        guard let rate = limits.publishPerCredential else { return nil }
        return credentials.take(from: subject, of: rate, now: now).map { .init(limit: .credential, wait: $0) }
    }

    /// A session is to subscribe to so many channels and patterns.
    func subscribe(to count: Int, by session: Session, now: UInt64) -> Excess? {
        guard let rate = limits.subscribePerSession else { return nil }
        return session.usage.subscribing.take(count, of: rate, now: now).map { .init(limit: .subscribe, wait: $0) }
    }
}

/// The buckets of one session.
struct SessionUsage {
    var publishing = TokenBucket()
    var sending = TokenBucket()
    var subscribing = TokenBucket()
}

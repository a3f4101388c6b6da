/// What a publisher asks for beyond delivery.
package struct PublishOptions: Sendable, Equatable {
    /// Keep it as the channel's retained message.
    package var retain = false
    /// Drop it after this many seconds.
    package var timeToLive: Double?
    /// By what a repeated publication is known.
    package var idempotencyKey: String?
    /// Do not deliver it to the session that published it.
    package var noEcho = false
    /// The data is CometD's form of binary data, which subscribers are told.
    package var isBinary = false
    /// The acknowledgement says the sequence number and how many subscribers matched.
    package var wantsReceipt = false
    /// The trace that it belongs to, passed on to subscribers.
    package var trace: TraceParent?

    /// Nothing beyond delivery.
    package init(retain: Bool = false, timeToLive: Double? = nil) {
        self.retain = retain
        self.timeToLive = timeToLive
    }

    /// The options in a message's `ext`: `retain`, `ttl` (seconds), `noEcho`, `receipt`, `traceparent` and `binary`
    /// (there at all).
    init(ext: JSONSlice, text: RawSpan) {
        guard ext.kind == .object else { return }
        retain = ext.member("retain", in: text).bool == true
        timeToLive = ext.member("ttl", in: text).double(in: text)
        noEcho = ext.member("noEcho", in: text).bool == true
        wantsReceipt = ext.member("receipt", in: text).bool == true
        trace = TraceParent(ext.member("traceparent", in: text), in: text)
        let binary = ext.member("binary", in: text)
        isBinary = !binary.isAbsent && binary.bool != false
    }
}

extension Publication {
    /// A publication that the store does not keep, with what its publisher asked for.
    convenience init(channel: ChannelName, data: RawSpan, options: PublishOptions, policy: ChannelPolicy) {
        self.init(
            channel: channel, data: data, isBinary: options.isBinary, slow: policy.slow, trace: options.trace)
    }
}

extension PublicationDraft {
    init(
        channel: ChannelName, data: JSONSlice, text: RawSpan, options: PublishOptions, policy: ChannelPolicy,
        origin: PublicationOrigin?, now: Moment
    ) {
        var bytes: [UInt8] = []
        bytes.append(data, of: text)
        let isNull = bytes.elementsEqual("null".utf8)
        // Up to a century, so that no number of seconds overflows.
        let lifetime = options.timeToLive.map { Int64(min(max($0, 0), 3.2e9) * 1000) }
        self.init(
            channel: channel, data: bytes, isBinary: options.isBinary,
            retention: options.retain || policy.retain ? isNull ? .clear : .replace : nil,
            history: policy.history(now: now), durability: policy.durability, origin: origin, publishedAt: now.wall,
            expiresAt: lifetime.map { now.wall + $0 })
    }
}

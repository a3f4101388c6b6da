import BrokerCore

/// Something to publish.
public struct Publication: Sendable {
    /// The channel.
    public var channel: String
    /// The document, JSON in UTF-8. That it is JSON is up to the caller.
    public var data: [UInt8]
    /// Keep it as the channel's retained message; `null` clears that.
    public var retain = false
    /// Drop it after so many seconds.
    public var timeToLive: Double?
    /// The id that it bears; the client's own number unless given. The broker stores a publication of one session once
    /// for an id.
    public var id: String?
    /// Whether the broker is asked what number it got, and how many it went to.
    public var wantsReceipt = false

    /// A document for a channel.
    public init(_ data: [UInt8], to channel: String, retain: Bool = false, timeToLive: Double? = nil) {
        self.data = data
        self.channel = channel
        self.retain = retain
        self.timeToLive = timeToLive
    }
}

/// What the broker said of a publication.
public struct PublicationReceipt: Sendable, Equatable {
    /// Its number in the broker's log; nil if it was not stored, or not asked for.
    public internal(set) var sequence: UInt64?
    /// How many subscribers it went to at once; nil if that was not asked for.
    public internal(set) var matchedCount: Int?

    init() {}

    init(_ ext: JSONSlice, of text: RawSpan) {
        guard ext.kind == .object else { return }
        sequence = ext.member("seq", in: text).integer(in: text).flatMap { UInt64(exactly: $0) }
        matchedCount = ext.member("matched", in: text).integer(in: text).map { Int($0) }
    }
}

/// What became of a publication.
public typealias PublicationOutcome = Result<PublicationReceipt, ClientError>

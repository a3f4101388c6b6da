/// The bounds and offers of one driver; a value, copied into each driver that is made with it.
///
/// Sizes are bytes. Everything that a peer can make grow has its bound here.
public struct DriverOptions: Sendable {
    /// The longest message that is accepted, all of its fragments together; longer ones are refused with 1009.
    ///
    /// Zero and negative values mean the default, 67 108 863.
    public var maximumMessageBytes: Int {
        didSet { if maximumMessageBytes <= 0 { maximumMessageBytes = Self.defaultMaximumMessageBytes } }
    }

    /// The longest head of an HTTP request or response, its final empty line included; a longer request gets 431.
    public var maximumHeadBytes: Int

    /// The most header fields in a head; a request with more gets 431.
    public var maximumHeaderCount: Int

    /// Server: the subprotocols that it speaks. Client: those that it offers, the preferred first.
    public var subprotocols: [String]

    /// How long the handshake may take, counted from the `now` given to the driver's initializer.
    public var handshakeTimeout: Duration

    /// How long the peer may take to answer our Close frame.
    public var closeTimeout: Duration

    /// The most payload that the owner may send before the connection is open, and apart from it
    /// the most bytes that a client may send before its handshake was answered.
    public var maximumQueuedBytes: Int

    /// Server: the protocol versions that are accepted, all of them unless told otherwise; `.modern` switches off all
    /// but RFC 6455. A client speaks RFC 6455 only.
    public var versions: Set<WebSocketVersion>

    /// Server: whether the transport is TLS, which the hixie handshakes have to say: `wss:` in their location.
    public var isSecure: Bool

    static let defaultMaximumMessageBytes = 67_108_863

    /// Options with the defaults, or with those named.
    public init(
        maximumMessageBytes: Int = 67_108_863,
        maximumHeadBytes: Int = 16_384,
        maximumHeaderCount: Int = 100,
        subprotocols: [String] = [],
        handshakeTimeout: Duration = .seconds(10),
        closeTimeout: Duration = .seconds(30),
        maximumQueuedBytes: Int = 65_536,
        versions: Set<WebSocketVersion> = .all,
        isSecure: Bool = false
    ) {
        self.maximumMessageBytes = maximumMessageBytes > 0 ? maximumMessageBytes : Self.defaultMaximumMessageBytes
        self.maximumHeadBytes = maximumHeadBytes
        self.maximumHeaderCount = maximumHeaderCount
        self.subprotocols = subprotocols
        self.handshakeTimeout = handshakeTimeout
        self.closeTimeout = closeTimeout
        self.maximumQueuedBytes = maximumQueuedBytes
        self.versions = versions
        self.isSecure = isSecure
    }
}

extension Duration {
    /// The instant this long after `now` (nanoseconds, monotonic), at the ends of the range instead of beyond.
    func deadline(after now: UInt64) -> UInt64 { now.saturatingAdd(nanoseconds) }

    /// At the ends of the range instead of beyond.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (scaled, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carried) = scaled.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000))
        return overflow || carried ? .max : sum
    }
}

extension UInt64 {
    /// The sum, or the largest number if that is too small for it.
    func saturatingAdd(_ other: UInt64) -> UInt64 { self + Swift.min(other, .max - self) }
}

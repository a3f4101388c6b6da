/// How a client connects, and what it puts up with.
public struct ClientConfiguration: Sendable {
    /// The broker's endpoint.
    public var endpoint: Endpoint
    /// The caller's credential: sent as `Authorization: Bearer` and as `ext.token` of the handshake.
    public var token: String?
    /// Where tokens come from that expire; it wins over `token`. They are sent as `ext.token`, and a new one goes to the
    /// broker without a new session. An ``HTTPConnection`` does not ask it, and sends `token`.
    public var tokenSource: TokenSource?
    /// A PEM file of the authorities that are trusted instead of the system's.
    public var certificateAuthorityFile: String?
    /// A PEM file of the certificate, with those between it and its authority, by which a broker that asks for one knows
    /// this client; `privateKeyFile` belongs to it.
    public var certificateFile: String?
    /// A PEM file of the private key of `certificateFile`.
    public var privateKeyFile: String?
    /// The proxies on the way.
    public var proxies = ProxySettings()
    /// Whether to ask for CometD's acknowledgements (`ext.ack`): then the broker sends each message again until the
    /// client has said that it came.
    public var acknowledgesMessages = false
    /// Whether to offer permessage-deflate.
    public var offersCompression = true
    /// How long to wait for a connection, with its tunnel and TLS.
    public var connectTimeout = Duration.seconds(5)
    /// How long the broker may take to answer a handshake, a subscription, a publication or a request to a service; nil
    /// for any time.
    ///
    /// The time begins when the message is sent, and anew when it is sent again over another connection, and when the
    /// client reads on after too much had waited for its readers; for a publication with the last answer to another one,
    /// for many on a slow line are sent at once. What waits for a session is bounded by `maximumOutage` at most. When the
    /// time is over the caller gets an error of the kind `unanswered` that names what was not answered, and a subscription
    /// ends; the session goes on. A handshake without an answer costs the connection.
    ///
    /// A connection that is dead is found out in 36 s, and publications are sent again over the next one: with a time
    /// that is shorter than that they fail instead.
    public var answerTimeout: Duration? = .seconds(60)
    /// How long the client may be without a connection before it gives up; nil for any time, zero to give up at once.
    public var maximumOutage: Duration?
    /// The same for the time before the first connection.
    public var maximumFirstOutage: Duration? = .zero
    /// How the times between attempts grow.
    public var backoff = Backoff()
    /// Publications that may wait for their acknowledgement at a time. What is sent again after a lost connection is known
    /// to the broker among a session's last 128; more than that may be stored twice.
    public var window = 128
    /// The most bytes of messages that wait for their readers before the connection is not read from any more, as long as
    /// nobody waits for an answer of the broker.
    public var maximumBufferedBytes = 8 << 20

    /// A client of a broker, with the defaults.
    public init(endpoint: Endpoint) {
        self.endpoint = endpoint
    }
}

/// The times between attempts to connect: a random part of a bound that doubles, so that clients who lost their broker
/// at the same time come back spread out ("full jitter").
public struct Backoff: Sendable, Equatable {
    /// The first bound.
    public var first = Duration.milliseconds(500)
    /// The bound that it grows to.
    public var most = Duration.seconds(20)
    /// A connection that lasted so long begins from the first bound again.
    public var resetAfter = Duration.seconds(10)

    /// The defaults.
    public init() {}

    /// The time before the attempt that follows `failures` failed ones; at least `floor`.
    package func delay(
        afterFailures failures: Int, floor: Duration, using generator: inout some RandomNumberGenerator
    ) -> Duration {
        var bound = first
        for _ in 0..<min(failures, 16) where bound < most { bound = bound * 2 }
        bound = min(bound, most)
        return max(bound * Double.random(in: 0...1, using: &generator), floor)
    }
}

/// Where a client stands.
public enum ConnectionState: Sendable, Equatable {
    /// A connection is being made.
    case connecting
    /// The session is there. `resumed`: it is the one of before; else it is a new one, with the same subscriptions.
    case connected(clientID: String, resumed: Bool)
    /// The connection was lost, or did not come about. The next attempt comes after `retryAfter`.
    case disconnected(ClientError, retryAfter: Duration)
    /// It is over; nothing follows.
    case closed(ClientError?)
}

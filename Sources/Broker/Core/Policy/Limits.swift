/// Bounds on everything that a peer can make grow, and the times that the Bayeux side keeps.
package struct Limits: Sendable, Equatable {
    /// A Bayeux batch's depth and number of messages.
    package var envelope = EnvelopeLimits()
    /// The alphabet of channel names.
    package var grammar = ChannelGrammar.faye
    /// A channel name or pattern, in bytes.
    package var channelBytes = 512
    /// Sessions in all; a handshake beyond it is refused with 429 and advice to come back later.
    package var sessions = 100_000
    /// Those among them whose clients came last from one address, of IPv6 from one /64; one more is refused likewise.
    package var sessionsPerAddress = 10_000
    /// Channels and patterns that one session may subscribe to.
    package var subscriptionsPerSession = 1_000
    /// Those of all sessions together, and of all whose clients came last from one address, of IPv6 from one /64.
    package var subscriptions = 2_000_000
    package var subscriptionsPerAddress = 100_000
    /// Messages that wait for a session that has no connection; the oldest make room.
    package var queuedMessages = 1_000
    /// Bytes that wait for a session that has no connection.
    package var queuedBytes = 1 << 20
    /// Bytes that wait for all sessions together; beyond it the oldest of those for whom most waits make room. As much
    /// memory may wait in connections.
    package var queuedBytesInAll = 1 << 30
    /// What a subscriber is given of the past; of more than that the newest, and it is told what it misses.
    package var replayedMessages = 1_000_000
    /// Sessions that have ended of which the reason is remembered.
    package var endedSessions = 1_000
    /// Publications that one request for a history is answered with.
    package var historyMessages = 10_000
    /// Operations under way in the store, and the bytes of the publications among them; what comes beyond is refused.
    package var pendingStoreOperations = 65_536
    package var pendingStoreBytes = 64 << 20
    /// Messages to services that are not answered yet, and the bytes of what they brought: as many as a quarter of what the
    /// store may have to do. What comes beyond is refused.
    package var pendingCalls: Int { max(pendingStoreOperations / 4, 1) }
    package var pendingCallBytes: Int { max(pendingStoreBytes / 4, 1) }
    /// Operations of one connection under way in the store, and its calls of services; while there are so many, nothing
    /// more is read from it.
    package var pendingOperationsPerConnection = 1_024

    /// How often clients may do things.
    package var rates = RateLimits()

    /// After so long what was written to an event stream that is still there, and takes what is written, has arrived. Nobody
    /// says so: its client's connects come over other connections, also when a NAT has forgotten the stream. But then its
    /// end comes, for a connection is given up on which nobody takes what was sent.
    package var streamDoubt = Duration.seconds(300)

    /// How long a `/meta/connect` is held; a session lives twice as long after its last one arrived.
    package var timeout = Duration.seconds(60)
    /// How long a session whose token has expired waits for another one.
    package var tokenGrace = Duration.seconds(30)
    /// For how long a publication over HTTP with the same `Idempotency-Key` is the same one.
    package var idempotencyWindow = Duration.seconds(300)
    /// How often it is written down how far sessions have come.
    package var cursorInterval = Duration.seconds(1)
    /// The pause between two connects that clients are advised to make.
    package var interval = Duration.zero
    /// Clients whose session has expired come back spread over this time.
    package var handshakeSpread = Duration.seconds(1)
    /// Clients of a broker that stops come back spread over this time.
    package var drainSpread = Duration.seconds(1)

    /// The defaults.
    package init() {}
}

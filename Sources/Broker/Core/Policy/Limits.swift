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
    /// Channels and patterns that one session may subscribe to.
    package var subscriptionsPerSession = 1_000
    /// Messages that wait for a session that has no connection; the oldest make room.
    package var queuedMessages = 1_000
    /// Bytes that wait for a session that has no connection.
    package var queuedBytes = 1 << 20
    /// What a subscriber is given of the past at once.
    package var backlog = BacklogLimits()
    /// Operations under way in the store; what comes beyond it is refused.
    package var pendingStoreOperations = 65_536

    /// How long a `/meta/connect` is held; a session lives twice as long after its last one arrived.
    package var timeout = Duration.seconds(60)
    /// For how long a publication over HTTP with the same `Idempotency-Key` is the same one.
    package var idempotencyWindow = Duration.seconds(300)
    /// The pause between two connects that clients are advised to make.
    package var interval = Duration.zero
    /// Clients whose session has expired come back spread over this time.
    package var handshakeSpread = Duration.seconds(1)

    /// The defaults.
    package init() {}
}

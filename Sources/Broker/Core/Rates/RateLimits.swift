/// How often clients may do things; nil is as often as they like. Clients on this machine always may.
package struct RateLimits: Sendable, Equatable {
    /// What is limited: the names in metrics and in refusals.
    package enum Limit: String, Sendable, CaseIterable {
        /// Connections of one address, also as WebSocket handshakes that a proxy passes on.
        case connections
        /// HTTP requests of one address.
        case requests
        /// Sessions that one address begins.
        case handshakes
        /// Publications of one session, or of one address that publishes without any.
        case publish
        /// Channels and patterns that one session subscribes to.
        case subscribe
        /// Bytes of data that one session publishes, or one address without any.
        case bytes
        /// Publications with tokens of one subject.
        case credential
        /// Publications to one channel, where its policy says so.
        case channel
        /// Time that an event loop has for what one address sends. It is not refused: it waits.
        case work
    }
    package var connectionsPerAddress: Rate? = Rate(50, burst: 1_000)
    package var requestsPerAddress: Rate? = Rate(500, burst: 5_000)
    package var handshakesPerAddress: Rate? = Rate(50, burst: 1_000)
    package var publishPerSession: Rate? = Rate(1_000, burst: 10_000)
    package var subscribePerSession: Rate? = Rate(100, burst: 2_000)
    package var bytesPerSession: Rate? = Rate(8 << 20, burst: 64 << 20)
    package var publishPerCredential: Rate? = Rate(5_000, burst: 50_000)
    /// In nanoseconds of each event loop.
    package var workPerAddress: Rate? = Rate(250_000_000, burst: 50_000_000)
    /// Whether clients on this machine are limited like others.
    package var includesLoopback = false
    /// Addresses and subjects whose use is remembered, of each kind.
    package var rememberedCount = 65_536

    /// The defaults.
    package init() {}

    /// Whether the router has something to limit.
    var limitsSessions: Bool {
        let all = [
            handshakesPerAddress, publishPerSession, subscribePerSession, bytesPerSession, publishPerCredential,
        ]
        return all.contains { $0 != nil }
    }
}

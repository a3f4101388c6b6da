package import BrokerCore

/// What a broker is started with. Every bound has a default that suits a small machine.
package struct BrokerConfiguration: Sendable {
    /// Where to listen. Nobody is served before all of them have their address.
    package var listeners = [ListenerOptions(.tcp(host: "127.0.0.1", port: 8000))]
    /// Event loops, each with a thread of its own.
    package var threads = 1
    /// The path of the Bayeux endpoint.
    package var endpoint = "/bayeux"
    /// Origins of web pages that may use the broker, beyond those of the same host; `*` stands for all.
    package var allowedOrigins: [String] = []
    /// Whether pages may poll by script elements (JSON-P); stock Faye clients on pages of other origins begin so.
    package var allowsCallbackPolling = true
    /// Whether there is a page at `/` to try the broker out.
    package var servesPage = true
    /// Who may read `/metrics`.
    package var metrics = MetricsAccess.admin
    /// What the Bayeux side keeps.
    package var limits = Limits()
    /// What is kept of publications, by channel.
    package var policies = ChannelPolicies()
    /// Who may do what.
    package var access = AccessOptions()
    /// Names, beyond those of this machine, by which the broker may be addressed; `*` stands for all. None means none on
    /// loopback, and all for a broker that listens elsewhere, too.
    package var allowedHosts: [String] = []
    /// Which proxies are believed when they say for whom they speak.
    package var trust = ProxyTrust()
    /// Messages from this size on are compressed for clients that can take it (permessage-deflate); nil for none.
    package var compressionBytes: Int? = 1024

    /// Connections in all; one more is refused, many more are closed at once.
    package var connections = 100_000
    /// Connections of one address, of IPv6 of one /64; those of this machine are not counted.
    package var connectionsPerAddress = 2_000
    /// One-time tickets that are not used yet, of all subjects and of one.
    package var tickets = 10_000
    package var ticketsPerSubject = 100
    /// A PROXY header of version 2, with its extensions, in bytes.
    package var proxyHeaderBytes = 4_096
    /// A WebSocket message or an HTTP body, in bytes.
    package var messageBytes = 1 << 20
    /// The head of a request, in bytes.
    package var headBytes = 16_384
    /// The fields of a request's head.
    package var headFields = 100
    /// Bytes that wait for one slow connection; with more it is closed, and its session goes on without it.
    package var outboundBytes = 16 << 20
    /// Bytes that wait for one connection from which on its messages wait in its session's queue instead.
    package var congestedBytes = 1 << 20
    /// Bytes that one turn of an event loop gathers before it writes them.
    package var turnBytes = 4 << 20
    /// How long what is to be written waits for more to go with it, while a turn's writing takes longer than that.
    /// Unless it is set, a millisecond where there are several event loops, and no time where there is one.
    package var holdMicroseconds: Int?
    var hold: Duration { .microseconds(holdMicroseconds ?? (threads > 1 ? 1000 : 0)) }

    /// From the beginning of a connection to the end of its PROXY header.
    package var proxyHeaderTimeout = Duration.seconds(5)
    /// From the beginning of a connection to the end of its handshake or first request's head.
    package var handshakeTimeout = Duration.seconds(10)
    /// From a request's head to the end of its body; also how long an idle HTTP connection is kept.
    package var requestTimeout = Duration.seconds(30)
    /// From our closing frame to the peer's.
    package var closeTimeout = Duration.seconds(5)
    /// A WebSocket that has been silent for so long is pinged.
    package var pingInterval = Duration.seconds(25)
    /// A WebSocket that stays silent for so long after a ping is closed.
    package var pongTimeout = Duration.seconds(10)
    /// From the first byte of a WebSocket message to its last; with more the WebSocket is closed.
    package var messageTimeout = Duration.seconds(60)
    /// A connection whose peer takes nothing for so long of what waits for it is closed.
    package var writeTimeout = Duration.seconds(30)
    /// The router's bounds. The system gives up a connection much earlier than after the doubt when nothing is taken; the rest
    /// is for who takes a little.
    var routerLimits: Limits {
        var limits = limits
        limits.streamDoubt = writeTimeout * 10
        return limits
    }
    /// An event stream on which nothing was written for so long gets a comment.
    package var streamPingInterval = Duration.seconds(15)
    /// From the wish to stop until nobody is let in any more: how long `/health/ready` says so before that.
    package var drainDelay = Duration.zero
    /// From the wish to stop until connections are cut, the delay among it.
    package var shutdownTimeout = Duration.seconds(10)

    /// The defaults.
    package init() {}

    /// Whether only people on this machine use it: it listens there alone, and no proxy is known through which others come.
    package var isForThisMachineOnly: Bool { isLoopbackOnly && !trustsProxies }

    /// Whether others may come through a proxy that says for whom it speaks.
    package var trustsProxies: Bool { !trust.isEmpty || listeners.contains { $0.isTrusted || $0.takesProxyHeader } }

    /// Whether only programs on this machine can connect.
    package var isLoopbackOnly: Bool { listeners.allSatisfy(\.address.isLocal) }

    /// The host of the first listener with one; setting it moves that listener.
    package var host: String {
        get { listeners.lazy.compactMap(\.host).first ?? "" }
        set { move(to: newValue, port: port) }
    }

    /// The port of the first listener with one, 0 for a free one; setting it moves that listener.
    package var port: Int {
        get {
            for listener in listeners {
                if case .tcp(_, let port) = listener.address { return port }
            }
            return 0
        }
        set { move(to: host, port: newValue) }
    }

    private mutating func move(to host: String, port: Int) {
        let moved = ListenerOptions(.tcp(host: host, port: port))
        guard let index = listeners.firstIndex(where: { $0.host != nil }) else { return listeners.append(moved) }
        let isNamed = listeners[index].name != listeners[index].address.description
        listeners[index].address = moved.address
        if !isNamed { listeners[index].name = moved.name }
    }
}

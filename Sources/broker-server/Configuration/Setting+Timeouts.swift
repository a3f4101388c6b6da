import BrokerCore
import BrokerFront

extension Setting {
    static let timeouts: [Setting] = [
        Setting(
            "timeouts.connect", .time, \.broker.limits.timeout,
            "how long /meta/connect is held; a session ends after twice that"),
        Setting(
            "timeouts.proxy-header", .time, \.broker.proxyHeaderTimeout,
            "from the beginning of a connection to the end of its PROXY header"),
        Setting(
            "timeouts.handshake", .time, \.broker.handshakeTimeout,
            "from the beginning of a connection to the end of its first request's head"),
        Setting(
            "timeouts.request", .time, \.broker.requestTimeout,
            "for the body of a request, and for an idle HTTP connection"),
        Setting(
            "timeouts.key-set", .time, \.broker.access.keySets.timeout, "for the answer from the address of a key set"
        )
        .with(effect: .atReload),
        Setting("timeouts.close", .time, \.broker.closeTimeout, "for the peer's answer to a closing handshake"),
        Setting(
            "timeouts.message", .time, \.broker.messageTimeout,
            "for a WebSocket message, from its first byte to its last"),
        Setting(
            "timeouts.write", .time, \.broker.writeTimeout,
            "how long a client may take nothing of what waits for it"),
        Setting("timeouts.ping", .time, \.broker.pingInterval, "silence before a WebSocket is pinged"),
        Setting("timeouts.pong", .time, \.broker.pongTimeout, "silence after that before it is closed"),
        Setting(
            "timeouts.stream-ping", .time, \.broker.streamPingInterval, "silence before an event stream gets a comment"),
        Setting(
            "timeouts.drain-delay", .pause, \.broker.drainDelay,
            "when the broker stops, how long /health/ready says so before nobody is let in any more"),
        Setting(
            "timeouts.drain-spread", .time, \.broker.limits.drainSpread,
            "when the broker stops, its clients are told to come back spread over this time"),
        Setting(
            "timeouts.shutdown", .time, \.broker.shutdownTimeout,
            "how long the broker takes to stop, drain-delay among it, before it cuts its connections"),
    ]
}

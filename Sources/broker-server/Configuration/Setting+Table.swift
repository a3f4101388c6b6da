import BrokerCore
import BrokerFront
import Logging

/// The table, in the order of the reference. Keys of a group stand together.
extension Setting {
    static let all = general + access + proxies + auth + tls + limits + rates + timeouts

    /// What a group is about, for the reference; in the order of the table.
    static let groups: [(name: String, meaning: String)] = [
        ("", "What the broker is."),
        (
            "auth",
            "Who may do what where no rule of a channel says anything, and which tokens are taken (docs/access.md)."
        ),
        ("tls", "TLS, beside the plain listener. The files are read again when they have changed."),
        ("limits", "Bounds on whatever a peer can make grow."),
        ("rates", "How often clients may do things; those on this machine as often as they like."),
        ("timeouts", "Times that the broker keeps."),
    ]

    private static let general: [Setting] = [
        Setting(
            "listen", listOf: .listenAddress, \.listen,
            "where to listen: host:port (port 0 takes a free one), unix:/path, systemd or systemd:NAME"),
        Setting("database", .database, \.database, "where everything is kept; :memory: keeps nothing")
            .with(
                defaultNote: "fanfare/fanfare.db in $XDG_STATE_HOME or ~/.local/state",
                example: "/var/lib/fanfare/fanfare.db"),
        Setting("threads", .count(1...256), \.broker.threads, "event loops, each with a thread")
            .with(defaultNote: "as many as there are cores that the broker may use", example: "4"),
        Setting("log-level", .choice, \.logLevel, "what is worth a line in the log")
            .with(effect: .atReload),
        Setting(
            "log-format", .choice, \.logFormat,
            "how a line of the log is written; auto is text on a terminal, else json"),
        Setting("endpoint", .path, \.broker.endpoint, "the path of the Bayeux endpoint"),
        Setting(
            "channel-grammar", .choice, \.broker.limits.grammar,
            "the alphabet of channel names; cometd allows blanks and # * + . { } as well"),
        Setting(
            "hold-microseconds", .count(0...1000), optional: \.broker.holdMicroseconds,
            "how long, under load, what is to be written waits for more that can go with it; 0 for not at all"
        ).with(defaultNote: "1000 with several event loops, 0 with one", example: "500"),
        Setting("page", .flag, \.broker.servesPage, "whether there is a page at / to try the broker out"),
        Setting(
            "compression-bytes", .threshold, \.broker.compressionBytes,
            "messages from this size on are compressed for clients that can take it; 0 for none"),
    ]

    private static let access: [Setting] = [
        Setting(
            "allow-origin", listOf: .origin, \.broker.allowedOrigins,
            "origins of web pages that may use the broker, beside those of its own host; '*' for all"
        ).with(effect: .atReload),
        hosts,
        Setting(
            "callback-polling", .flag, \.broker.allowsCallbackPolling,
            "whether pages may poll by script elements (JSON-P), which old ones of other origins need"),
        Setting("metrics", .choice, \.broker.metrics, "who may read /metrics: the administrator, all, or nobody"),
    ]
}

import BrokerCore
import BrokerFront

extension Setting {
    static let limits: [Setting] = [
        Setting("limits.message-bytes", .pieceBytes, \.broker.messageBytes, "a WebSocket message or an HTTP body"),
        Setting("limits.head-bytes", .pieceBytes, \.broker.headBytes, "the head of a request"),
        Setting("limits.head-fields", .count(1...), \.broker.headFields, "the header fields of a request"),
        Setting(
            "limits.proxy-header-bytes", .bytes(256...64 << 10), \.broker.proxyHeaderBytes,
            "a PROXY header of version 2 with its extensions"),
        Setting(
            "limits.key-set-bytes", .pieceBytes, \.broker.access.keySets.maximumBytes,
            "a set of token keys that is fetched from its address"
        ).with(effect: .atReload),
        Setting("limits.channel-bytes", .pieceBytes, \.broker.limits.channelBytes, "a channel's name"),
        Setting(
            "limits.messages-per-batch", .count(1...), \.broker.limits.envelope.maximumMessages,
            "messages that a client sends at once"),
        Setting(
            "limits.json-depth", .count(2...EnvelopeLimits.depthCeiling), \.broker.limits.envelope.maximumDepth,
            "arrays and objects inside each other"),
        Setting(
            "limits.connections", .count(1...), \.broker.connections,
            "connections; one more is refused with 503, many more are closed at once"
        ).with(effect: .atReload),
        Setting(
            "limits.connections-per-address", .count(1...), \.broker.connectionsPerAddress,
            "connections of one address, of IPv6 of one /64; one more is refused with 429, many more are closed at once"
        ).with(effect: .atReload),
        Setting(
            "limits.tickets", .count(1...), \.broker.tickets,
            "one-time tickets that are not used yet; one more is refused with 429"),
        Setting(
            "limits.tickets-per-subject", .count(1...), \.broker.ticketsPerSubject,
            "the same, of tokens of one subject (sub)"),
        Setting(
            "limits.sessions", .count(1...), \.broker.limits.sessions,
            "sessions; one more is refused, with advice to come back later"),
        Setting(
            "limits.sessions-per-address", .count(1...), \.broker.limits.sessionsPerAddress,
            "sessions whose clients came last from one address, of IPv6 from one /64; one more is refused likewise"),
        Setting(
            "limits.subscriptions-per-session", .count(1...), \.broker.limits.subscriptionsPerSession,
            "channels and patterns of one session"),
        Setting(
            "limits.subscriptions-per-address", .count(1...), \.broker.limits.subscriptionsPerAddress,
            "those of all sessions whose clients came last from one address, of IPv6 from one /64"),
        Setting(
            "limits.subscriptions", .count(1...), \.broker.limits.subscriptions, "those of all sessions together"),
        Setting(
            "limits.replayed-messages", .count(1...), \.broker.limits.replayedMessages,
            "what a subscriber is given of the past; of more than that, the newest"),
        Setting(
            "limits.history-messages", .count(1...), \.broker.limits.historyMessages,
            "what one request for a history is answered with"),
        Setting(
            "limits.ended-sessions", .count(0...100_000), \.broker.limits.endedSessions,
            "sessions that have ended of which broker-cli sessions why knows the reason"),
        Setting(
            "limits.database-bytes", .bytes, \.storeLimits.databaseBytes,
            "what the database may have in use; beyond it, nothing is retained or becomes part of a history"),
        Setting(
            "limits.memory-bytes", .bytes, \.storeLimits.memoryBytes,
            "the same for what is kept in memory only: with durability memory, or database :memory:"),
        Setting(
            "limits.pending-store-operations", .count(1...), \.broker.limits.pendingStoreOperations,
            "operations under way in the store; what comes beyond is refused"),
        Setting(
            "limits.pending-store-bytes", .bytes, \.broker.limits.pendingStoreBytes,
            "the publications among them; what comes beyond is refused"),
        Setting(
            "limits.pending-operations-per-connection", .count(1...),
            \.broker.limits.pendingOperationsPerConnection,
            "operations of one connection under way in the store; while there are so many, nothing more is read from it"
        ),
        Setting(
            "limits.queued-messages", .count(1...), \.broker.limits.queuedMessages,
            "messages that wait for a session that has no connection, or one that does not keep up"),
        Setting("limits.queued-bytes", .bytes, \.broker.limits.queuedBytes, "the same, in bytes"),
        Setting(
            "limits.queued-bytes-in-all", .bytes, \.broker.limits.queuedBytesInAll,
            "the same, for all sessions together; beyond it, the oldest of those for whom most waits make room"
                + "; and as much memory for what waits in connections: beyond it, that with most is closed; and as much"
                + " again for what comes in and is not complete: beyond it, that which brings more is refused"),
        Setting(
            "limits.congested-bytes", .bytes, \.broker.congestedBytes,
            "what waits for one connection; beyond it, messages wait in its session's queue"),
        Setting(
            "limits.outbound-bytes", .bytes, \.broker.outboundBytes,
            "what waits for one connection; beyond it, the connection is closed, and its session goes on without it"),
    ]
}

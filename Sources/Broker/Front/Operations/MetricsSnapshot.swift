import BrokerCore

/// What the router tells of itself.
struct RouterSample: Sendable {
    let statistics: RouterStatistics
    let counters: RouterCounters
    /// Sessions that have a connection.
    let connectedCount: Int
    /// Whether the store does what it is asked.
    let storeIsUp: Bool
}

/// What the broker has counted, at about one moment.
struct MetricsSnapshot: Sendable {
    let loops: [LoopSample]
    let router: RouterSample?

    /// Appends every family, each number summed over the loops.
    func append(to text: inout MetricsText, refused: Gatekeeper.Counts, tickets: Tickets.Refusals) {
        text.begin("fanfare_build_info", .gauge, "The version of the broker.")
        text.sample("fanfare_build_info", [("version", Fanfare.version)], 1)
        var all = LoopCounters()
        for loop in loops { all.merge(loop.counters) }
        appendConnections(all, refused, to: &text)
        appendRates(all, refused, to: &text)
        text.add(
            "fanfare_tickets_refused_total", .counter, "One-time tickets that were refused, by the limit.", by: "limit",
            [("subject", tickets.ofSubjects), ("all", tickets.inAll)])
        appendTraffic(all, to: &text)
        if let router { append(router, to: &text) }
        text.add(
            "fanfare_receive_queue_bytes", .gauge,
            "Memory for what has come and is not complete, or waits for its turn.",
            loops.reduce(0) { $0 + $1.unfinishedBytes })
        text.add(
            "fanfare_send_queue_bytes", .gauge, "Bytes that wait for connections.",
            loops.reduce(0) { $0 + $1.queuedBytes })
        text.add(
            "fanfare_slow_consumers", .gauge, "Connections that do not take messages as fast as they come.",
            loops.reduce(0) { $0 + $1.slowCount })
        let lag = "fanfare_event_loop_lag_seconds"
        text.begin(lag, .histogram, "How late the event loop came to its periodic work.")
        for loop in loops { text.sample(lag, [("loop", "\(loop.loop)")], loop.counters.lag) }
    }

    private func appendConnections(_ all: LoopCounters, _ refused: Gatekeeper.Counts, to text: inout MetricsText) {
        let transports = LoopCounters.Transport.allCases
        text.add(
            "fanfare_connections", .gauge, "Open connections.", by: "transport",
            transports.map { ($0.rawValue, all[$0].open) })
        text.add(
            "fanfare_connections_opened_total", .counter, "Connections that were opened.", by: "transport",
            transports.map { ($0.rawValue, all[$0].openedCount) })
        text.begin("fanfare_connections_closed_total", .counter, "Connections that ended, by why.")
        for transport in transports {
            for (reason, count) in all[transport].closedCounts.all {
                text.sample(
                    "fanfare_connections_closed_total",
                    [("transport", transport.rawValue), ("reason", reason.rawValue)], count)
            }
        }
        text.add(
            "fanfare_connections_rejected_total", .counter, "Connections that were refused, by why.", by: "reason",
            [
                ("limit", UInt64(refused.connections)), ("address", refused.byAddress), ("rate", refused.byRate),
                ("proxy", UInt64(refused.proxyHeaders)), ("tls", all.rejectedTLS),
                ("handshake", all.rejectedHandshakes),
                ("origin", all.rejectedOrigins), ("auth", all.rejectedCredentials),
            ])
    }

    private func appendRates(_ all: LoopCounters, _ refused: Gatekeeper.Counts, to text: inout MetricsText) {
        let limited = "fanfare_rate_limited_total"
        text.begin(limited, .counter, "What was refused, or had to wait, because it came too fast, by the limit.")
        for limit in RateLimits.Limit.allCases {
            let count =
                switch limit {
                case .connections: refused.byRate
                case .work: all.delayedReads
                case .requests: refused.requests
                case .handshakes, .publish, .subscribe, .bytes, .credential, .channel:
                    router?.counters.limitedCounts[limit] ?? 0
                }
            text.sample(limited, [("limit", limit.rawValue)], count)
        }
    }

    private func appendTraffic(_ all: LoopCounters, to text: inout MetricsText) {
        let families: [(String, String, KeyPath<LoopCounters.Connections, UInt64>)] = [
            ("fanfare_received_bytes_total", "Bytes from clients, with heads of requests.", \.receivedBytes),
            ("fanfare_sent_bytes_total", "Bytes to clients, compressed, with heads of answers.", \.sentBytes),
            ("fanfare_messages_delivered_total", "Messages that were written to clients.", \.deliveredCount),
        ]
        for (name, help, field) in families {
            text.add(
                name, .counter, help, by: "transport",
                LoopCounters.Transport.allCases.map { ($0.rawValue, all[$0][keyPath: field]) })
        }
        let requests = "fanfare_http_requests_total"
        text.begin(requests, .counter, "Answered requests.")
        for (request, count) in all.answers.sorted(by: { "\($0.key)" < "\($1.key)" }) {
            let labels = [("route", request.route), ("method", request.method), ("code", "\(request.status)")]
            text.sample(requests, labels, count)
        }
        text.begin(
            "fanfare_delivery_lag_seconds", .histogram,
            "From a publication's turn at the router to its last write in a turn.")
        text.sample("fanfare_delivery_lag_seconds", [], all.deliveryLag)
        text.add(
            "fanfare_ignored_texts_total", .counter, "Texts of WebSockets that are no batch, or beyond a limit.",
            all.ignoredTexts)
        text.begin("fanfare_pong_rtt_seconds", .histogram, "From a ping to the client's next sign of life.")
        text.sample("fanfare_pong_rtt_seconds", [], all.pongs)
    }

    private func append(_ router: RouterSample, to text: inout MetricsText) {
        let (statistics, counters) = (router.statistics, router.counters)
        text.add(
            "fanfare_sessions", .gauge, "Sessions, by whether they have a connection.", by: "state",
            [("connected", router.connectedCount), ("away", statistics.sessionCount - router.connectedCount)])
        text.add(
            "fanfare_subscriptions", .gauge, "Subscriptions of all sessions, by what they are to.", by: "kind",
            [
                ("channel", statistics.subscriptionCount - statistics.wildcardSubscriptionCount),
                ("pattern", statistics.wildcardSubscriptionCount),
            ])
        text.add("fanfare_channels", .gauge, "Channels and patterns with subscribers.", statistics.patternCount)
        text.add(
            "fanfare_session_queue_bytes", .gauge, "Weight of the messages that wait for sessions.",
            statistics.queuedBytes)
        text.add(
            "fanfare_store_queue_messages", .gauge, "Operations under way in the store.",
            statistics.pendingOperationCount)
        text.add(
            "fanfare_engine_up", .gauge, "Whether the store works: 0 from a failure until it is seen to write again.",
            router.storeIsUp ? 1 : 0)
        text.add(
            "fanfare_engine_lag_messages", .gauge, "Publications that the store has not acknowledged yet.",
            statistics.pendingPublicationCount)
        text.add("fanfare_last_sequence", .gauge, "Number of the last stored publication.", statistics.lastSequence)
        let received = "fanfare_messages_received_total"
        text.begin(received, .counter, "Messages from clients, by what they are.")
        for (index, kind) in RouterCounters.Kind.allCases.enumerated() {
            for (transport, counts) in [("websocket", counters.fromSockets), ("http", counters.fromRequests)] {
                text.sample(received, [("transport", transport), ("kind", kind.rawValue)], counts[index])
            }
        }
        text.add(
            "fanfare_messages_refused_total", .counter,
            "Messages of Bayeux clients that were answered with an error, by its code.", by: "code",
            zip(RouterCounters.errorCodes.map(\.description) + ["other"], counters.refusedCounts).map { ($0, $1) })
        text.add(
            "fanfare_messages_dropped_total", .counter, "Messages that sessions did not get; their clients are told.",
            by: "reason", [("queue", counters.droppedFromQueues), ("latest", counters.superseded)])
        text.add(
            "fanfare_auth_failures_total", .counter, "Credentials that were refused, by what was wrong with them.",
            by: "reason", counters.authFailures.all.map { ($0.rawValue, $1) })
        text.add(
            "fanfare_denied_total", .counter, "What clients were not allowed to do, by what it was.", by: "action",
            [("publish", counters.deniedPublications), ("subscribe", counters.deniedSubscriptions)])
        text.add(
            "fanfare_recoveries_total", .counter,
            "Sessions that caught up with the log, by whether something was missing.", by: "result",
            [("complete", counters.completeRecoveries), ("gap", counters.recoveriesWithGap)])
        text.add(
            "fanfare_sessions_ended_total", .counter, "Sessions that have ended, by why.", by: "reason",
            counters.endings.all.map { ($0.rawValue, $1) })
        let duration = "fanfare_publish_duration_seconds"
        text.begin(duration, .histogram, "From a stored publication's arrival to its acknowledgement.")
        for (durability, histogram) in zip(Durability.allCases, counters.publishDurations) {
            text.sample(duration, [("durability", durability.rawValue)], histogram)
        }
    }
}

extension LoopCounters {
    fileprivate mutating func merge(_ other: LoopCounters) {
        sockets.merge(other.sockets)
        streams.merge(other.streams)
        requests.merge(other.requests)
        rejectedTLS += other.rejectedTLS
        rejectedHandshakes += other.rejectedHandshakes
        rejectedOrigins += other.rejectedOrigins
        rejectedCredentials += other.rejectedCredentials
        deliveryLag.merge(other.deliveryLag)
        ignoredTexts += other.ignoredTexts
        delayedReads += other.delayedReads
        pongs.merge(other.pongs)
        lag.merge(other.lag)
        answers.merge(other.answers) { $0 + $1 }
    }
}

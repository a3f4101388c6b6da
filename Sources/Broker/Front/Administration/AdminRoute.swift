import BrokerCore
import NIOCore
import NIOHTTP1

/// What the administrator may see and do, below `/admin/`: JSON over plain HTTP.
extension HTTPRoutes {
    private static let listLimit = 100

    /// Answers a request below `/admin/`; nil when the router will.
    func administration(_ head: HTTPRequestHead, target: RequestTarget, from handler: HTTPHandler) -> HTTPResponse? {
        guard services.access.isAdmin(head, handler) else {
            return .problem(.forbidden, "\(target.path) is for the administrator")
        }
        let parts = target.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst(2)
        let query: Result<AdminQuery, AdminProblem>
        switch (head.method, parts.first, parts.count) {
        case (.GET, "stats", 1): query = .success(.statistics)
        case (.GET, "channels", 1): query = channels(target)
        case (.GET, "sessions", 1): query = page(target).map { .sessions($0) }
        case (.GET, "sessions", 2) where parts.last == "why": query = count(target).map { .endings(nil, limit: $0) }
        case (.GET, "sessions", 3) where parts.last == "why":
            query = session(parts.dropFirst().first).flatMap { tag in count(target).map { .endings(tag, limit: $0) } }
        case (.GET, "sessions", 2): query = session(parts.last).map { .session($0) }
        case (.DELETE, "sessions", 2) where parts.last != "why": query = session(parts.last).map { .kick($0) }
        case (_, "stats", 1), (_, "channels", 1), (_, "sessions", 1),
            (_, "sessions", 2) where parts.last == "why", (_, "sessions", 3) where parts.last == "why":
            return .methodNotAllowed("\(target.path) can only be read", allowed: "GET")
        case (_, "sessions", 2):
            return .methodNotAllowed("A session is read with GET and ended with DELETE", allowed: "GET, DELETE")
        case _: return .problem(.notFound, "Nothing is served at \(target.path)")
        }
        switch query {
        case .failure(let problem): return .problem(.badRequest, problem.detail)
        case .success(let query):
            return open(RouterExchange(handler: handler), for: handler) {
                shard.ask(query, forExchangeIn: $0)
            }
        }
    }

    private struct AdminProblem: Error {
        let detail: String
    }

    /// `?start=N&limit=M`.
    private func page(_ target: RequestTarget) -> Result<AdminPage, AdminProblem> {
        guard let start = Int(target.first("start") ?? "0"), start >= 0 else {
            let given = target.first("start") ?? ""
            return .failure(.init(detail: "start is what the last part named as next, not \(given)"))
        }
        return count(target).map { AdminPage(start: start, limit: $0) }
    }

    /// `?limit=M`.
    private func count(_ target: RequestTarget) -> Result<Int, AdminProblem> {
        guard let limit = Int(target.first("limit") ?? "\(Self.listLimit)"), 1...AdminPage.maximumCount ~= limit else {
            let given = target.first("limit") ?? ""
            return .failure(.init(detail: "limit is a number from 1 to \(AdminPage.maximumCount), not \(given)"))
        }
        return .success(limit)
    }

    /// `?pattern=/a/**`, and a page.
    private func channels(_ target: RequestTarget) -> Result<AdminQuery, AdminProblem> {
        var pattern: ChannelPattern?
        if let text = target.first("pattern") {
            let limits = services.configuration.limits
            do {
                pattern = try ChannelPattern(text, grammar: limits.grammar, maximumBytes: limits.channelBytes)
            } catch {
                return .failure(.init(detail: "\(text) is no channel or pattern: \(error)"))
            }
        }
        return page(target).map { .channels(within: pattern, $0) }
    }

    private func session(_ text: Substring?) -> Result<SessionTag, AdminProblem> {
        SessionTag(text ?? "").map { .success($0) }
            ?? .failure(
                .init(
                    detail: "A session is named by \(SessionTag.length) or more characters of its id, not \(text ?? "")"
                ))
    }
}

extension HTTPServices {
    /// The answer to the administrator.
    func response(to answer: AdminAnswer) -> HTTPResponse {
        switch answer {
        case .unknown(let tag): .problem(.notFound, "There is no session \(tag)")
        case .notEnded(let tag, isAlive: true): .problem(.notFound, "The session \(tag) has not ended")
        case .notEnded(let tag, isAlive: false):
            .problem(
                .notFound,
                "Nothing is known of a session \(tag): the last \(configuration.limits.endedSessions) that ended "
                    + "since the broker was started are remembered")
        case .endings(let sessions): .json(.ok, .object([("sessions", .list(sessions.map { .object($0.fields) }))]))
        case .ambiguous(let tag): .problem(.conflict, "More than one session begins with \(tag)")
        case .statistics(let statistics): .json(.ok, body(statistics))
        case .channels(let reports, let next): .json(.ok, list("channels", reports.map(\.fields), next: next))
        case .sessions(let reports, let next): .json(.ok, list("sessions", reports.map(\.fields), next: next))
        case .session(let report, let subscriptions):
            .json(.ok, .object(report.fields + [("subscriptions", .list(subscriptions.map { .string($0) }))]))
        case .kicked(let tag): .json(.ok, .object([("kicked", .string(tag.text))]))
        }
    }

    private func body(_ statistics: RouterStatistics) -> ByteBuffer {
        let uptime = Double(SystemClock.monotonic - startedAt) / 1e9
        return .object([
            ("version", .string(Fanfare.version)), ("uptime_seconds", .decimal(uptime)),
            ("connections", .number(gate.counter.current)), ("sessions", .number(statistics.sessionCount)),
            ("subscriptions", .number(statistics.subscriptionCount)), ("channels", .number(statistics.patternCount)),
            ("published", .number(Int(statistics.publishedCount))),
            ("delivered", .number(Int(statistics.deliveredCount))), ("queued_bytes", .number(statistics.queuedBytes)),
            ("store_operations", .number(statistics.pendingOperationCount)),
            ("last_seq", .number(Int(statistics.lastSequence))), ("epoch", .string(statistics.epoch)),
        ])
    }

    private func list(_ name: String, _ items: [[(String, JSONValue)]], next: Int?) -> ByteBuffer {
        .object([(name, .list(items.map { .object($0) })), ("next", next.map { .number($0) } ?? .null)])
    }
}

extension ChannelReport {
    fileprivate var fields: [(String, JSONValue)] {
        [("channel", .string(pattern)), ("subscribers", .number(subscriberCount))]
    }
}

extension SessionReport {
    fileprivate var fields: [(String, JSONValue)] {
        [
            ("id", .string(tag.text)), ("state", .string(state.rawValue)), ("stream", .boolean(isStream)),
            ("subscription_count", .number(subscriptionCount)), ("queued_messages", .number(queuedMessageCount)),
            ("queued_bytes", .number(queuedBytes)), ("slow", .boolean(isSlow)),
            ("acknowledges", .boolean(acknowledges)),
            ("stored", .boolean(isStored)), ("cursor", .number(Int(cursor))),
            ("expires_in_seconds", timeLeft.map { .decimal($0 / .seconds(1)) } ?? .null),
        ]
    }
}

extension EndedSession {
    fileprivate var fields: [(String, JSONValue)] {
        [
            ("id", .string(tag.text)), ("reason", .string(reason.rawValue)),
            ("started_at", .string(Timestamp.text(startedAt))), ("ended_at", .string(Timestamp.text(endedAt))),
            ("lifetime_seconds", .decimal(Double(max(endedAt - startedAt, 0)) / 1000)),
            ("transport", .string(transport.rawValue)), ("address", .string(address.rawValue)),
            ("connection_lost", lost.map { .string($0.reason.rawValue) } ?? .null),
            ("connection_lost_at", lost.map { .string(Timestamp.text($0.at)) } ?? .null),
            ("published", .number(Int(publishedCount))), ("delivered", .number(Int(deliveredCount))),
            ("dropped", .number(Int(droppedCount))), ("waiting", .number(waitingCount)),
            ("subscription_count", .number(subscriptionCount)),
        ]
    }
}

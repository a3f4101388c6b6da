import NIOCore
import NIOHTTP1

/// Who may read `/metrics`.
package enum MetricsAccess: String, Sendable, CaseIterable {
    /// Whoever may see what is the administrator's.
    case admin
    /// Everybody who reaches the broker.
    case all
    /// Nobody.
    case off
}

/// `/metrics`, for Prometheus.
extension HTTPRoutes {
    /// Answers when all event loops have told what they counted.
    func metrics(_ head: HTTPRequestHead, from handler: HTTPHandler) -> HTTPResponse? {
        switch services.configuration.metrics {
        case .off: return .problem(.notFound, "Metrics are switched off: see metrics in the configuration")
        case .admin where !services.access.isAdmin(head, handler):
            return .problem(.forbidden, "/metrics is for the administrator: see metrics in the configuration")
        case .admin, .all: break
        }
        if let response = services.unlessRead(head, "/metrics") { return response }
        let (registry, refused) = (services.monitor.registry, services.gate.counts)
        let (listeners, tickets) = (services.listeners, services.access.tickets.refusals)
        let bound = NIOLoopBound(handler, eventLoop: shard.eventLoop)
        services.monitor.gather(on: shard.eventLoop).whenSuccess { snapshot in
            var text = MetricsText()
            snapshot.append(to: &text, refused: refused, tickets: tickets)
            ListenerCounter.append(listeners, to: &text)
            registry?.append(to: &text)
            ProcessUsage().append(to: &text)
            let body = ByteBuffer(bytes: text.bytes)
            bound.value.finishExchange(HTTPResponse(.ok, type: MetricsText.contentType, body).fresh)
        }
        return nil
    }
}

extension HTTPServices {
    /// What a request counts as: one of few names, whatever path it has.
    func route(of head: HTTPRequestHead) -> String {
        let path = RequestTarget(head.uri)
        guard path.isPlain else { return "other" }
        if path.isBelow(configuration.endpoint) { return "bayeux" }
        let first = path.path.dropFirst().prefix { $0 != "/" }
        switch first {
        case "channels", "admin", "health", "metrics": return String(first)
        default: return "other"
        }
    }
}

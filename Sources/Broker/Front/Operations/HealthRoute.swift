import BrokerCore
import NIOCore
import NIOHTTP1

/// Whether the process works (`/health/live`), and whether clients should come to it (`/health/ready`).
///
/// A broker that is not live is started again, which brings a storm of clients: so that is said late, after ten seconds
/// without an answer. That it is not ready, which only turns new clients away, is said at once.
extension HTTPRoutes {
    private static let liveLimit = TimeAmount.seconds(10)
    private static let readyLimit = TimeAmount.seconds(2)

    /// Answers when every part has, or has not in time; the connection waits.
    func health(_ head: HTTPRequestHead, path: Substring, from handler: HTTPHandler) -> HTTPResponse? {
        if let response = services.unlessRead(head, path) { return response }
        let isReady = path == "/health/ready"
        let monitor = services.monitor
        // What is insecure is nobody else's business.
        let isOperator = services.isServedHere("/admin/") && services.access.isAdmin(head, handler)
        let warnings = isOperator ? services.configuration.warnings : []
        let bound = NIOLoopBound(handler, eventLoop: shard.eventLoop)
        monitor.examine(
            on: shard.eventLoop, within: isReady ? Self.readyLimit : Self.liveLimit, mustWrite: isReady
        ).whenSuccess { problems in
            let isDraining = isReady && monitor.isDraining
            let reasons = (isDraining ? ["draining: the broker is about to stop"] : []) + problems
            bound.value.finishExchange(Self.response(reasons, warnings))
        }
        return nil
    }

    private static func response(_ reasons: [String], _ warnings: [String]) -> HTTPResponse {
        var members: [(String, JSONValue)] = [
            ("status", .string(reasons.isEmpty ? "ok" : "failed")),
            ("reasons", .list(reasons.map { .string($0) })),
        ]
        if !warnings.isEmpty { members.append(("warnings", .list(warnings.map { .string($0) }))) }
        let body = ByteBuffer.object(members)
        return .json(reasons.isEmpty ? .ok : .serviceUnavailable, body)
    }
}

import BrokerCore
import Logging
import NIOCore
import NIOHTTP1

/// What the broker serves at paths that no configuration moves.
package enum HTTPPaths {
    /// Their first pieces. Files have names with a dot, but for the page's.
    package static let own: Set<Substring> = ["admin", "channels", "dashboard", "health", "metrics", "tickets"]
}

/// Which path is answered how.
struct HTTPRoutes {
    let services: HTTPServices
    let shard: Shard

    /// Answers a complete request of `handler`; nil when the router will, through an exchange.
    func answer(_ head: HTTPRequestHead, body: ByteBuffer, from handler: HTTPHandler) -> HTTPResponse? {
        let target = RequestTarget(head.uri)
        if let refusal = handler.refusal() {
            return .problem(.init(statusCode: refusal.status), refusal.text, retryAfter: refusal.retryAfter)
        }
        if let refusal = services.refusal(of: head) { return refusal }
        guard target.isPlain else { return .problem(.badRequest, "The path of the request is not ASCII") }
        guard services.isServedHere(target.path) else {
            return .problem(.notFound, "Nothing is served at \(target.path) here")
        }
        if target.isBelow(services.configuration.endpoint) {
            return bayeux(head, target: target, body: body, from: handler)
        }
        if target.path.hasPrefix("/channels/") {
            return channel(head, target: target, body: body, from: handler)
        }
        switch target.path {
        case "/health/live", "/health/ready": return health(head, path: target.path, from: handler)
        case "/metrics": return metrics(head, from: handler)
        default: break
        }
        if target.path.hasPrefix("/admin/") { return administration(head, target: target, from: handler) }
        if target.path == "/tickets" { return ticket(head, target) }
        return file(head, path: target.path, from: handler)
            ?? .problem(.notFound, "Nothing is served at \(target.path)")
    }

    /// Opens an exchange for the router; when the input is refused there is none.
    func open(
        _ exchange: RouterExchange, for handler: HTTPHandler, _ submit: (UInt32) throws(EnvelopeError) -> Void,
        refusal: (EnvelopeError) -> HTTPResponse
    ) -> HTTPResponse? {
        let slot = begin(exchange, for: handler)
        do {
            try submit(slot)
            return nil
        } catch {
            shard.remove(slot: slot, because: .done)
            handler.forgetExchange()
            return refusal(error)
        }
    }

    /// Opens an exchange for the router, which takes whatever it is asked.
    func open(
        _ exchange: RouterExchange, for handler: HTTPHandler, _ submit: (UInt32) -> Void
    ) -> HTTPResponse? {
        submit(begin(exchange, for: handler))
        return nil
    }

    /// Makes an exchange known to the shard and to the connection that waits for it: its slot.
    private func begin(_ exchange: RouterExchange, for handler: HTTPHandler) -> UInt32 {
        let slot = shard.add(exchange)
        handler.begin(slot)
        return slot
    }
}

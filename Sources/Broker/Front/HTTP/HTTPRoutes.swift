import BrokerCore
import Logging
import NIOCore
import NIOHTTP1
import WebAssets

/// Which path is answered how.
struct HTTPRoutes {
    let services: HTTPServices
    let shard: Shard

    /// Answers a complete request of `handler`; nil when the router will, through an exchange.
    func answer(_ head: HTTPRequestHead, body: ByteBuffer, from handler: HTTPHandler) -> HTTPResponse? {
        let target = RequestTarget(head.uri)
        guard
            services.origins.allows(origin: head.headers.first(name: "Origin"), host: head.headers.first(name: "Host"))
        else {
            let origin = head.headers.first(name: "Origin") ?? ""
            return .problem(.forbidden, "Origin \(origin) is not allowed: see --allow-origin")
        }
        if target.isBelow(services.configuration.endpoint) {
            return bayeux(head, body: body, from: handler)
        }
        if target.isBelow("/channels"), target.path != "/channels" {
            return channel(head, target: target, body: body, from: handler)
        }
        guard let (type, bytes) = Self.file(at: target.path) else {
            return .problem(.notFound, "Nothing is served at \(target.path)")
        }
        guard head.method == .GET || head.method == .HEAD else {
            return .problem(.methodNotAllowed, "\(target.path) can only be read")
        }
        var response = HTTPResponse(.ok, type: type, ByteBuffer(bytes: bytes))
        response.headers.add(name: "Cache-Control", value: "no-cache")
        response.headers.add(name: "X-Content-Type-Options", value: "nosniff")
        return response
    }

    private static func file(at path: Substring) -> (type: String, bytes: [UInt8])? {
        switch path {
        case "/": ("text/html; charset=utf-8", WebAssets.page)
        case "/fanfare.js": ("text/javascript; charset=utf-8", WebAssets.client)
        case "/health/live", "/health/ready": ("application/json", Array(#"{"status":"ok"}"#.utf8))
        default: nil
        }
    }
}

/// Bayeux over long-polling (Bayeux 1.0 §6.1).
extension HTTPRoutes {
    private func bayeux(_ head: HTTPRequestHead, body: ByteBuffer, from handler: HTTPHandler) -> HTTPResponse? {
        switch head.method {
        case .OPTIONS: services.preflight(head)
        case .POST: post(head, body: body, from: handler)
        default: .text(.badRequest, "Bad request")
        }
    }

    /// The batch is the body, or the field `message` of a form; content types other than JSON mean the latter.
    private func post(_ head: HTTPRequestHead, body: ByteBuffer, from handler: HTTPHandler) -> HTTPResponse? {
        let type = head.headers.first(name: "Content-Type")?.split(separator: ";").first ?? ""
        var batch = body
        if type != "application/json" {
            let form = RequestTarget.parameters(in: String(buffer: body))
            guard let message = form.first(where: { $0.name == "message" }) else {
                return .text(.badRequest, "Bad request")
            }
            batch = ByteBuffer(string: message.value)
        }
        return open(for: handler) { (slot) throws(EnvelopeError) in
            try shard.receive(body: batch.readableBytesSpan, forExchangeIn: slot)
        } refusal: { error in
            shard.logger.info("refused a body that is no Bayeux batch", metadata: ["reason": "\(error)"])
            return .text(.badRequest, "Bad request")
        }
    }

    /// Opens an exchange for the router; when the input is refused there is none.
    private func open(
        for handler: HTTPHandler, _ submit: (UInt32) throws(EnvelopeError) -> Void,
        refusal: (EnvelopeError) -> HTTPResponse
    ) -> HTTPResponse? {
        let slot = shard.add(BayeuxExchange(handler: handler))
        handler.begin(slot)
        do {
            try submit(slot)
            return nil
        } catch {
            shard.remove(slot: slot)
            handler.forgetExchange()
            return refusal(error)
        }
    }
}

/// Channels for programs that speak plain HTTP.
extension HTTPRoutes {
    private func channel(
        _ head: HTTPRequestHead, target: RequestTarget, body: ByteBuffer, from handler: HTTPHandler
    ) -> HTTPResponse? {
        let limits = services.configuration.limits
        let text = RequestTarget.decode(target.path.dropFirst("/channels".count), plusIsSpace: false)
        let name: ChannelName
        do {
            name = try ChannelName(text, grammar: limits.grammar, maximumBytes: limits.channelBytes)
        } catch {
            return .problem(.badRequest, "\(text) is no channel name: \(error)")
        }
        switch head.method {
        case .OPTIONS: return services.preflight(head)
        case .GET, .HEAD:
            return open(for: handler) {
                shard.readRetained(of: name, forExchangeIn: $0)
            } refusal: { _ in
                .problem(.badRequest, "Bad request")
            }
        case .POST:
            return publish(to: name, head: head, target: target, body: body, from: handler)
        default:
            return .problem(.methodNotAllowed, "A channel is published to with POST and read with GET")
        }
    }

    private func publish(
        to name: ChannelName, head: HTTPRequestHead, target: RequestTarget, body: ByteBuffer, from handler: HTTPHandler
    ) -> HTTPResponse? {
        let options: PublishOptions
        switch Self.options(head, target) {
        case .success(let found): options = found
        case .failure(let problem): return .problem(.badRequest, problem.detail)
        }
        return open(for: handler) { (slot) throws(EnvelopeError) in
            let value = try shard.value(in: body.readableBytesSpan)
            shard.publish(
                body.readableBytesSpan.extracting(value.range), to: name, options: options, forExchangeIn: slot)
        } refusal: { error in
            .problem(.badRequest, "The body is not JSON: \(error)")
        }
    }

    private struct Problem: Error {
        let detail: String
    }

    /// `retain` and `ttl` (seconds), as headers or in the query.
    private static func options(_ head: HTTPRequestHead, _ target: RequestTarget) -> Result<PublishOptions, Problem> {
        var options = PublishOptions()
        if let retain = target.first("retain") ?? head.headers.first(name: "retain") {
            switch retain.lowercased() {
            case "", "1", "true": options.retain = true
            case "0", "false": options.retain = false
            default: return .failure(Problem(detail: "retain is true or false, not \(retain)"))
            }
        }
        if let ttl = target.first("ttl") ?? head.headers.first(name: "ttl") {
            guard let seconds = Double(ttl), seconds.isFinite, seconds > 0 else {
                return .failure(Problem(detail: "ttl is a number of seconds, not \(ttl)"))
            }
            options.timeToLive = seconds
        }
        return .success(options)
    }
}

extension HTTPServices {
    /// The answer to a browser that asks whether a page may send its request (CORS).
    func preflight(_ head: HTTPRequestHead) -> HTTPResponse {
        var response = HTTPResponse(.ok)
        response.headers.add(name: "Access-Control-Allow-Methods", value: "POST, GET")
        response.headers.add(
            name: "Access-Control-Allow-Headers", value: "Accept, Authorization, Content-Type, Pragma, X-Requested-With"
        )
        response.headers.add(name: "Access-Control-Max-Age", value: "86400")
        return response
    }
}

extension BayeuxError {
    /// The HTTP status that says the same.
    var status: HTTPResponseStatus {
        switch code {
        case 403: .forbidden
        case 429: .tooManyRequests
        case 407, 500: .serviceUnavailable
        default: .badRequest
        }
    }
}

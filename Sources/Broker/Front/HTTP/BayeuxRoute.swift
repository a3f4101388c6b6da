import BrokerCore
import Logging
import NIOCore
import NIOHTTP1

/// Bayeux by requests (Bayeux 1.0 §6): long-polling, also across origins, and callback-polling.
///
/// `null` is an empty batch. Whatever else cannot be read as a batch is answered `400 Bad request`, also a method that no
/// transport uses: that is what clients of Faye know. Refusals of the broker's own (origin, size) are problem details.
extension HTTPRoutes {
    private static let bayeuxMethods = "POST, GET"

    /// Answers a request for the endpoint.
    func bayeux(
        _ head: HTTPRequestHead, target: RequestTarget, body: ByteBuffer, from handler: HTTPHandler
    ) -> HTTPResponse? {
        // As with Faye, the header alone makes a request the question that browsers ask beforehand.
        if head.method == .OPTIONS || head.headers.first(name: "Access-Control-Request-Method") == "POST" {
            return services.preflight(head, methods: Self.bayeuxMethods)
        }
        let caller = services.access.caller(of: head, target, at: handler.address)
        switch head.method {
        case .GET where head.acceptsEventStream: return eventStream(target, caller, from: handler)
        case .GET: return callbackPolling(head, target: target, caller, from: handler)
        case .POST: return longPolling(head, body: body, caller, from: handler)
        default: return .badRequest
        }
    }

    /// The batch is the body when that is JSON; of any other type the body is a form, whose field `message` it is.
    ///
    /// Pages of other origins post such a form as `text/plain`, for which a browser does not ask beforehand.
    private func longPolling(
        _ head: HTTPRequestHead, body: ByteBuffer, _ caller: Caller?, from handler: HTTPHandler
    ) -> HTTPResponse? {
        if head.mediaType == "application/json" {
            return submit(body.readableBytesSpan, in: RouterExchange(handler: handler), caller, for: handler)
        }
        guard let message = FormField.first("message", in: body.readableBytesView) else { return .badRequest }
        return submit(message.span.bytes, in: RouterExchange(handler: handler), caller, for: handler)
    }

    /// The stream of a session, whose client id is the path's last piece (Faye's `eventsource`).
    private func eventStream(
        _ target: RequestTarget, _ caller: Caller?, from handler: HTTPHandler
    ) -> HTTPResponse? {
        let stream = EventStream(handler: handler, shard: shard)
        let slot = shard.add(stream, form: .sessionStream)
        handler.begin(slot)
        shard.openStream(in: slot, for: String(target.path.split(separator: "/").last ?? ""), caller: caller)
        return nil
    }

    /// The batch is the query's `message`, and the answer a script that calls the function named by `jsonp`.
    private func callbackPolling(
        _ head: HTTPRequestHead, target: RequestTarget, _ caller: Caller?, from handler: HTTPHandler
    ) -> HTTPResponse? {
        guard let message = FormField.first("message", in: target.queryText.utf8) else { return .badRequest }
        guard services.configuration.allowsCallbackPolling else {
            return .problem(.forbidden, "Callback-polling is switched off")
        }
        if let refusal = services.refusal(ofScript: head) { return refusal }
        guard let callback = JSONPCallback(parameter: target.first("jsonp")) else { return .badRequest }
        var caller = caller
        // Nothing but a page's script element asks like that.
        caller?.isBrowser = true
        return submit(
            message.span.bytes, in: RouterExchange(handler: handler, callback: callback), caller, for: handler)
    }

    private func submit(
        _ batch: RawSpan, in exchange: RouterExchange, _ caller: Caller?, for handler: HTTPHandler
    ) -> HTTPResponse? {
        open(exchange, for: handler) { (slot) throws(EnvelopeError) in
            try shard.receive(body: batch, forExchangeIn: slot, at: handler.addressClass, caller: caller)
        } refusal: { error in
            // Nothing to do, as with Faye for Node.
            if error == .notAMessage(.null) { return exchange.answer }
            shard.logger.info("refused a request that holds no Bayeux batch", metadata: ["reason": "\(error)"])
            return .badRequest
        }
    }
}

extension HTTPResponse {
    /// What Bayeux clients are told that send no Bayeux.
    static var badRequest: Self { .text(.badRequest, "Bad request") }
}

extension HTTPRequestHead {
    /// Whether the client asks for an event stream.
    var acceptsEventStream: Bool {
        headers[canonicalForm: "Accept"].contains { type in
            type.prefix { $0 != ";" && $0 != " " }.lowercased() == "text/event-stream"
        }
    }

    /// The media type of the body, without parameters, in lower case; empty when none is given (RFC 9110 §8.3.1).
    var mediaType: String {
        let value = (headers.first(name: "Content-Type") ?? "").prefix { $0 != ";" }
        return value.split { $0 == " " || $0 == "\t" }.joined(separator: " ").lowercased()
    }
}

import BrokerCore
import NIOCore
import NIOHTTP1

/// Channels for programs that speak plain HTTP.
extension HTTPRoutes {
    private static let channelMethods = "GET, HEAD, POST, OPTIONS"

    /// Answers a request for a channel.
    func channel(
        _ head: HTTPRequestHead, target: RequestTarget, body: ByteBuffer, from handler: HTTPHandler
    ) -> HTTPResponse? {
        let limits = services.configuration.limits
        let caller = services.access.caller(of: head, target, at: handler.address)
        let text = RequestTarget.decode(target.path.dropFirst("/channels".count), plusIsSpace: false)
        let isRead = head.method == .GET || head.method == .HEAD
        if isRead, let error = shard.hooks.refusal(ofReading: text) { return refusal(error) }
        if isRead, head.acceptsEventStream {
            return eventStream(of: text, head: head, target: target, caller, from: handler)
        }
        let name: ChannelName
        do {
            name = try ChannelName(text, grammar: limits.grammar, maximumBytes: limits.channelBytes)
        } catch {
            return .problem(.badRequest, "\(text) is no channel name: \(error)")
        }
        switch head.method {
        case .OPTIONS: return services.preflight(head, methods: Self.channelMethods)
        case .GET where isOfHistory(target), .HEAD where isOfHistory(target):
            return history(of: name, target: target, caller, from: handler)
        case .GET, .HEAD:
            return open(RouterExchange(handler: handler), for: handler) {
                shard.readRetained(of: name, forExchangeIn: $0, caller: caller)
            }
        case .POST:
            return publish(to: name, head: head, target: target, body: body, caller, from: handler)
        default:
            return .methodNotAllowed(
                "A channel is published to with POST and read with GET", allowed: Self.channelMethods)
        }
    }

    private func isOfHistory(_ target: RequestTarget) -> Bool {
        target.first("since") != nil || target.first("limit") != nil
    }

    /// The channel's history behind `since` (0 for all), at most `limit` messages of it.
    private func history(
        of name: ChannelName, target: RequestTarget, _ caller: Caller?, from handler: HTTPHandler
    ) -> HTTPResponse? {
        let most = services.configuration.limits.historyMessages
        guard let after = UInt64(target.first("since") ?? "0") else {
            return .problem(.badRequest, "since is a sequence number, not \(target.first("since") ?? "")")
        }
        guard let limit = Int(target.first("limit") ?? "\(most)"), limit > 0 else {
            return .problem(.badRequest, "limit is a number of messages, not \(target.first("limit") ?? "")")
        }
        return open(RouterExchange(handler: handler), for: handler) {
            shard.readHistory(of: name, HistoryRange(after: after, limit: limit), forExchangeIn: $0, caller: caller)
        }
    }

    /// What is published to a channel or pattern. `Last-Event-ID`, which a browser sends when it comes back, or `since`
    /// says what the client has; without them it gets what is retained.
    private func eventStream(
        of text: String, head: HTTPRequestHead, target: RequestTarget, _ caller: Caller?, from handler: HTTPHandler
    ) -> HTTPResponse? {
        let limits = services.configuration.limits
        let pattern: ChannelPattern
        do {
            pattern = try ChannelPattern(text, grammar: limits.grammar, maximumBytes: limits.channelBytes)
        } catch {
            return .problem(.badRequest, "\(text) is no channel or pattern: \(error)")
        }
        let lastSeen = head.headers.first(name: "Last-Event-ID") ?? target.first("since")
        var replay: ReplayPoint?
        if let lastSeen, !lastSeen.isEmpty {
            guard let number = Int64(lastSeen), let point = ReplayPoint(number) else {
                return .problem(.badRequest, "Last-Event-ID and since are sequence numbers, not \(lastSeen)")
            }
            replay = point
        }
        let stream = EventStream(handler: handler, shard: shard, isHeadOnly: head.method == .HEAD)
        let slot = shard.add(stream, form: .channelStream)
        handler.begin(slot)
        shard.openStream(
            in: slot, of: [SubscriptionItem(pattern, replay: replay)], at: handler.addressClass, caller: caller)
        return nil
    }

    /// Publishes the body, which has to be one JSON value; of which type it says to be does not matter: shells say
    /// `application/x-www-form-urlencoded` (curl) or nothing.
    private func publish(
        to name: ChannelName, head: HTTPRequestHead, target: RequestTarget, body: ByteBuffer, _ caller: Caller?,
        from handler: HTTPHandler
    ) -> HTTPResponse? {
        let options: PublishOptions
        switch Self.options(head, target) {
        case .success(let found): options = found
        case .failure(let problem): return .problem(.badRequest, problem.detail)
        }
        var (name, body, data) = (name, body, JSONSlice.absent)
        do {
            data = try shard.value(in: body.readableBytesSpan)
        } catch {
            return .problem(.badRequest, "The body is not JSON: \(error)")
        }
        switch shard.hooks.review(body.readableBytesSpan.extracting(data.range), to: name) {
        case .unchanged: break
        case .refused(let error): return refusal(error)
        case .changed(let message):
            guard let changed = publication(in: message) else {
                return .problem(.internalServerError, "What became of the publication is none")
            }
            (name, body, data) = (changed.channel, ByteBuffer(bytes: message), changed.data)
        }
        return open(RouterExchange(handler: handler), for: handler) { slot in
            shard.publish(
                body.readableBytesSpan.extracting(data.range), to: name, options: options, forExchangeIn: slot,
                caller: caller)
        }
    }

    /// What the program that embeds the broker has made of a publication: it is read like what a client sends.
    private func publication(in message: [UInt8]) -> (channel: ChannelName, data: JSONSlice)? {
        let limits = services.configuration.limits
        let scanner = EnvelopeScanner(limits: limits.envelope)
        var batch: [Envelope] = []
        guard (try? scanner.scan(validatingUTF8: message.span.bytes, into: &batch)) != nil, batch.count == 1,
            !batch[0].data.isAbsent, let text = batch[0].channel.string(in: message.span.bytes),
            let channel = try? ChannelName(text, grammar: limits.grammar, maximumBytes: limits.channelBytes)
        else { return nil }
        return (channel, batch[0].data)
    }

    /// What the program that embeds the broker refuses with an error of Bayeux's form.
    private func refusal(_ error: String) -> HTTPResponse {
        let code = Int(error.prefix { $0 != ":" }) ?? 403
        return .problem(BayeuxError(code: code, arguments: [], text: "").status, error)
    }

    private struct Problem: Error {
        let detail: String
    }

    /// `retain`, `ttl` (seconds) and `Idempotency-Key`, in the query or else as headers.
    private static func options(_ head: HTTPRequestHead, _ target: RequestTarget) -> Result<PublishOptions, Problem> {
        var options = PublishOptions()
        if let retain = target.first("retain") ?? head.headers.first(name: "retain") {
            switch retain.isPlain ? retain.lowercased() : nil {
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
        if let key = target.first("Idempotency-Key") ?? head.headers.first(name: "Idempotency-Key") {
            guard 1...255 ~= key.utf8.count else {
                return .failure(Problem(detail: "Idempotency-Key has 1 to 255 characters"))
            }
            options.idempotencyKey = key
        }
        // One that is not good is not passed on, as if none had come (W3C Trace Context §4.3). Nor is one of two.
        let traces = head.headers["traceparent"]
        if traces.count == 1 { options.trace = TraceParent(traces[0]) }
        return .success(options)
    }
}

extension BayeuxError {
    /// The HTTP status that says the same.
    var status: HTTPResponseStatus {
        if storeFailure == .full { return .insufficientStorage }
        return switch code {
        case 401: .unauthorized
        case 403: .forbidden
        case 413: .payloadTooLarge
        case 422: .unprocessableEntity
        case 429: .tooManyRequests
        case 407, 500: .serviceUnavailable
        default: .badRequest
        }
    }
}

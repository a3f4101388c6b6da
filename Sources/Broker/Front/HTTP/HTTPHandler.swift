import BrokerCore
import Driver
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL

/// One connection as far as it speaks HTTP: gathers a request, has it answered, keeps the deadlines.
///
/// A request that turns out to be a WebSocket handshake takes the connection over to the driver, also when other
/// requests came before it (proxies do that); then none with a tab in `Connection`.
final class HTTPHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private enum Phase {
        /// Between requests.
        case idle
        /// The head is there, the body is coming.
        case receiving(HTTPRequestHead, ByteBuffer)
        /// The head of a WebSocket handshake is there; the decoder is not through with the request yet.
        case upgrading(RequestHead)
        /// The request is there and waits for the share of its address. It is kept here, not by the line that it stands in,
        /// which may be long: a connection that is gone takes it along.
        case waiting(HTTPRequestHead, ByteBuffer)
        /// The answer is being made.
        case answering(HTTPRequestHead)
        /// The answer is on its way; nothing else is looked at before the peer has taken it.
        case sending
        /// The response is an event stream.
        case streaming(EventStream)
        /// The last response is written: what still comes is passed over until the client ends its side.
        case ending
    }
    /// How long a peer to which nothing was owed may take to see that the connection ends.
    private static let parting = Duration.seconds(1)
    private let shard: Shard
    let services: HTTPServices
    let origin: ConnectionOrigin
    /// Where the sender of the current request is, as far as it counts for limits.
    private(set) var address: IPAddress?
    /// Where whoever sends the current request is.
    private(set) var addressClass = AddressClass.unknown
    /// The address whose connection the current request counts as, when a proxy has brought it.
    private var claim = AddressClaim()
    private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    private let feed: ParserFeed
    private let helpers: [any RemovableChannelHandler]
    private var context: ChannelHandlerContext?
    private var phase = Phase.idle
    /// When the connection is closed unless something happens.
    private var deadline: UInt64
    /// The request that the router works on.
    private var exchange: UInt32?
    var watchPlace: UInt32?
    /// What came of a request's body after it was refused.
    private var passedOverBytes = 0
    /// Responses that are taken and have not ended.
    private var endings = 0
    /// Why the connection ends, once something else than the peer ends it.
    var closeReason = ConnectionEnd.peer
    private var isStream = false
    /// An event stream of a broker that stops, until it is known how it ended.
    private var sentAway: UInt32?
    /// Whether the peer ends the connection only when it has all of the stream.
    private var hasEndedOutput = false
    /// Whether the peer takes the answer that is on its way.
    private var progress = WriteProgress()

    private init(
        shard: Shard, services: HTTPServices, origin: ConnectionOrigin,
        decoder: ByteToMessageHandler<HTTPRequestDecoder>, feed: ParserFeed, helpers: [any RemovableChannelHandler]
    ) {
        self.origin = origin
        self.shard = shard
        self.services = services
        self.decoder = decoder
        self.feed = feed
        self.helpers = helpers
        deadline = SystemClock.now.adding(shard.configuration.requestTimeout)
    }

    /// Puts the HTTP handlers at the end of a pipeline.
    static func install(
        in pipeline: ChannelPipeline, shard: Shard, services: HTTPServices, origin: ConnectionOrigin
    ) throws {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = shard.configuration.headBytes
        limits.maxHeaderListSize = shard.configuration.headBytes
        limits.maxHeaderFieldCount = shard.configuration.headFields
        let encoder = HTTPResponseEncoder()
        // It keeps only what comes behind a request for another protocol: at most what one read brings, if it is ours.
        let decoder = ByteToMessageHandler(
            HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits),
            maximumBufferSize: 2 * ReadBuffer.capacity)
        let pipelining = HTTPServerPipelineHandler()
        let counter = ByteCounter(shard: shard)
        let feed = ParserFeed(shard: shard, payer: services.gate.limited(origin))
        let handler = HTTPHandler(
            shard: shard, services: services, origin: origin, decoder: decoder, feed: feed,
            helpers: [pipelining, encoder, feed, counter])
        try pipeline.syncOperations.addHandlers([counter, feed, encoder, decoder, pipelining, handler])
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        shard.counters.requests.begin()
        shard.guardDeadlines(of: self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        abandon()
        part(hasAll: false)
        shard.unfinished.forget(self)
        claim.release(at: services.gate)
        if isStream { shard.counters.streams.end(closeReason) } else { shard.counters.requests.end(closeReason) }
        shard.dismiss(self)
        self.context = nil
        // An event stream knows this connection, which must not know it any more, or neither would ever be freed; and what
        // waits is not answered.
        phase = .ending
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch (unwrapInboundIn(data), phase) {
        case (.head(let head), .idle):
            receive(head)
        case (.body(let part), .receiving(let head, var body)):
            guard body.readableBytes + part.readableBytes <= services.configuration.messageBytes else {
                return refuse(.payloadTooLarge, "The body is larger than \(services.configuration.messageBytes) bytes")
            }
            phase = .idle  // The buffer must have one owner to grow in place.
            body.writeImmutableBuffer(part)
            phase = .receiving(head, body)
            let byteCount = body.storageCapacity
            guard shard.unfinished.note(byteCount, of: self, from: services.gate.limited(client(of: head))) else {
                return refuse(.serviceUnavailable, UnfinishedInput.refusal, retryAfter: 1)
            }
        case (.end, .receiving(let head, let body)):
            phase = .waiting(head, body)
            deadline = .max
            takeTurn()
        case (.end, .upgrading(let request)):
            upgrade(request)
        case (.body(let part), .ending), (.body(let part), .sending), (.body(let part), .streaming):
            passOver(part.readableBytes)
        case (.head(let head), .ending), (.head(let head), .sending), (.head(let head), .streaming):
            let fields = head.headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
            passOver(head.uri.utf8.count + fields + 16)
        case (.end, .ending), (.end, .sending), (.end, .streaming), (_, .idle), (_, .waiting), (_, .answering),
            (.head, .receiving), (_, .upgrading):
            break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        // Deadlines may be kept before this is removed.
        if case .streaming(let stream) = phase { stream.forgetConnection() }
        abandon()
        part(hasAll: hasEndedOutput)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Behind what cannot be read nothing is: who still sends has to be let, or the answer is lost to a reset.
        if case ByteToMessageDecoderError.dataReceivedInErrorState(_, let buffer) = error {
            return passOver(buffer.readableBytes)
        }
        shard.logger.debug("request failed", metadata: ["error": "\(error)"])
        // As browsers do: they end TCP, and TLS with it.
        if case .uncleanShutdown? = error as? NIOSSLError { return context.close(promise: nil) }
        guard error is HTTPParserError else { return drop() }
        switch phase {
        case .idle, .receiving: break
        case .upgrading, .waiting, .answering, .sending, .streaming, .ending: return drop()
        }
        // As of a connection's first head, which the driver reads.
        if case .idle = phase { shard.counters.rejectedHandshakes += 1 }
        // The path of a request whose method nobody knows is not known: the endpoint's clients know this answer.
        if (error as? HTTPParserError) == .invalidMethod { return refuse(.badRequest) }
        let isTooLarge = (error as? HTTPParserError) == .headerOverflow
        refuse(isTooLarge ? .requestHeaderFieldsTooLarge : .badRequest, "The request cannot be read: \(error)")
    }

    /// What came behind the last request that counts; more than a message is too much.
    private func passOver(_ byteCount: Int) {
        passedOverBytes += byteCount
        if passedOverBytes > services.configuration.messageBytes { drop() }
    }

    /// Ends the connection, whatever the peer has not got yet.
    private func drop() {
        hasEndedOutput = false
        context?.close(promise: nil)
    }

    private func receive(_ head: HTTPRequestHead) {
        let request = RequestHead(head)
        // As the driver takes nothing else for a connection's first head; to compare others may take more than linear time.
        guard head.headers.allSatisfy({ $0.value.isPlain }) else {
            shard.counters.rejectedHandshakes += 1
            return refuse(.badRequest, "A field of the request's head is not ASCII")
        }
        let isWebSocket = ServerDriver.isWebSocketRequest(request)
        if isWebSocket, head.isLastForParser { return phase = .upgrading(request) }
        deadline = SystemClock.now.adding(services.configuration.requestTimeout)
        phase = .receiving(head, ByteBuffer())
        // What follows would be parsed as HTTP, for a handler that takes frames.
        if isWebSocket {
            return refuse(
                .badRequest, "Connection has a tab in it: no WebSocket begins behind other requests like this")
        }
        if let refusal = origin.refusal {
            return refuse(.init(statusCode: refusal.status), refusal.text, retryAfter: refusal.retryAfter)
        }
        if let length = head.headers.first(name: "Content-Length").flatMap(Int.init),
            length > services.configuration.messageBytes
        {
            return refuse(.payloadTooLarge, "The body is larger than \(services.configuration.messageBytes) bytes")
        }
        if head.headers.first(name: "Expect")?.lowercased() == "100-continue" {
            context?.writeAndFlush(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))))
                .whenFailure { _ in }
        }
    }

    /// The connection becomes a WebSocket; what came behind the handshake goes to the driver.
    private func upgrade(_ request: RequestHead) {
        guard let context else { return }
        closeReason = .upgrade
        let pipeline = context.pipeline.syncOperations
        for helper in helpers { pipeline.removeHandler(helper, promise: nil) }
        do {
            let handler = WebSocketHandler(shard: shard, services: services, origin: origin, request: request)
            try pipeline.addHandler(handler, position: .after(self))
        } catch {
            return context.close(promise: nil)
        }
        pipeline.removeHandler(self, promise: nil)
        pipeline.removeHandler(decoder, promise: nil)
    }
}

/// Answers.
extension HTTPHandler {
    /// Answers the request that waits, if its address may have more of the loop's time; else when it may.
    private func takeTurn() {
        guard case .waiting(let head, let body) = phase else { return }
        let client = client(of: head)
        address = services.gate.limited(client)
        addressClass = client.address.map { AddressClass($0) } ?? AddressClass(of: context?.channel.remoteAddress)
        if let address, case let wait = shard.delay(of: address, now: SystemClock.monotonic), wait > 0 {
            return shard.queue(for: address, after: wait) { [weak self] in self?.takeTurn() }
        }
        phase = .answering(head)
        shard.unfinished.forget(self)
        answer(head, body)
    }

    private func client(of head: HTTPRequestHead) -> ClientAddress {
        services.gate.client(of: origin) { head.headers[$0] }
    }

    private func answer(_ head: HTTPRequestHead, _ body: ByteBuffer) {
        let payer = feed.isCharging ? nil : address
        let start = payer == nil ? 0 : SystemClock.monotonic
        let route = HTTPRoutes(services: services, shard: shard)
        let response = route.answer(head, body: body, from: self)
        if let payer { shard.charge(payer, since: start) }
        if let response { respond(response) }
    }

    /// Why the current request is refused: its address asks too often, or has too much open.
    func refusal() -> ConnectionRefusal? {
        guard let address else { return nil }
        if let seconds = services.gate.request(from: address) { return .requests(retryAfter: seconds) }
        // The proxy's connection counts for its client as long as the answer takes, and is no new one of the client's; one
        // without a proxy counts all the time.
        return origin.isTrusted ? claim.take(address, isConnection: false, at: services.gate) : nil
    }

    /// The exchange that a route has opened for the current request.
    func begin(_ exchange: UInt32) {
        self.exchange = exchange
    }

    /// The router was given nothing: the route answers itself.
    func forgetExchange() {
        exchange = nil
    }

    /// The router has answered.
    func finishExchange(_ response: HTTPResponse) {
        exchange = nil
        respond(response)
    }

    /// The router has answered with much that a short request has asked for: not more of it is kept for peers that do not
    /// take it than there is room for.
    func finishExchange(reading response: HTTPResponse) {
        guard shard.untaken.hasRoom(for: response.body.readableBytes, of: address) else {
            let text = "Too much that was asked for waits to be taken"
            return finishExchange(.problem(.serviceUnavailable, text, retryAfter: 1))
        }
        finishExchange(response)
    }

    /// The router has opened `stream`: the connection carries nothing else from now on, as bytes that go straight out.
    func begin(_ stream: EventStream, _ headers: HTTPHeaders) -> Outbound? {
        guard let context, case .answering(let request) = phase else { return nil }
        phase = .streaming(stream)
        shard.counters.requests.end(.upgrade)
        shard.counters.streams.begin()
        isStream = true
        // What still comes is parsed as before, a little at a time and for its address; the feed lets writes through.
        for helper in helpers where helper !== feed {
            context.pipeline.syncOperations.removeHandler(helper, promise: nil)
        }
        var headers = headers
        services.addOriginHeaders(to: &headers, for: request.headers)
        let outbound = Outbound(context: context, unsent: shard.unsent, delegate: self)
        var head = ByteBuffer(string: "HTTP/1.1 200 OK\r\n")
        for (name, value) in headers { head.writeString("\(name): \(value)\r\n") }
        head.writeString("\r\n")
        shard.counters.streams.sentBytes += UInt64(head.readableBytes)
        outbound.write(head)
        return outbound
    }

    /// The event stream is over: our side ends behind what was written.
    func end(_ outbound: Outbound) {
        guard case .streaming = phase else { return }
        phase = .ending
        if closeReason == .peer { closeReason = .done }
        deadline = SystemClock.now.adding(services.configuration.closeTimeout)
        let ended = outbound.endOutput()
        guard closeReason == .shutdown, let slot = exchange.take() else { return abandon() }
        sentAway = slot
        shard.sendAway(slot: slot)
        ended.assumeIsolated().whenSuccess { self.hasEndedOutput = true }
    }

    /// An event stream that was sent away is over.
    private func part(hasAll: Bool) {
        guard let slot = sentAway.take() else { return }
        shard.part(slot: slot, hasAll: hasAll)
    }

    /// Sends a response to the current request.
    private func respond(_ response: HTTPResponse) {
        guard case .answering(let request) = phase else { return }
        claim.release(at: services.gate)
        shard.counters.answer(request, route: services.route(of: request), status: response.status)
        var head = HTTPResponseHead(version: request.version, status: response.status, headers: response.headers)
        // There it would be the length of what the client has (RFC 9110 §8.6).
        if response.status != .notModified {
            head.headers.replaceOrAdd(name: "Content-Length", value: "\(response.body.readableBytes)")
        }
        head.headers.replaceOrAdd(name: "Date", value: shard.date.text(at: SystemClock.now.wall))
        services.addOriginHeaders(to: &head.headers, for: request.headers)
        let keepAlive =
            request.isKeepAlive && !request.asksForAnotherProtocol && !shard.isShuttingDown
            && !services.monitor.isDraining
        if !keepAlive { head.headers.replaceOrAdd(name: "Connection", value: "close") }
        send(head, request.method == .HEAD ? ByteBuffer() : response.body, keepAlive: keepAlive)
    }

    /// Sends an answer; the request ends with it when the peer has taken all of it. Until then the pipelining handler
    /// holds back what follows, and reads no more: a peer that asks without end waits for itself.
    private func send(_ head: HTTPResponseHead, _ body: ByteBuffer, keepAlive: Bool) {
        guard let context else { return }
        phase = .sending
        deadline = .max
        progress = WriteProgress()
        if !keepAlive, closeReason == .peer { closeReason = .done }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let (count, payer) = (body.readableBytes, address)
        shard.untaken.add(count, of: payer)
        let taken = context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(body))))
        taken.assumeIsolated().whenComplete { [shard] _ in shard.untaken.remove(count, of: payer) }
        // At once, if the system has room for it.
        taken.assumeIsolated().whenSuccess { self.finish(keepAlive: keepAlive) }
    }

    /// The answer is taken.
    private func finish(keepAlive: Bool) {
        guard let context, case .sending = phase else { return }
        guard !keepAlive else {
            phase = .idle
            deadline = SystemClock.now.adding(services.configuration.requestTimeout)
            return goOn(context)
        }
        phase = .ending
        deadline = SystemClock.now.adding(services.configuration.closeTimeout)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        // Our side only: a reset could take the response from a client that is still sending.
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
            bound.value.close(mode: .output, promise: nil)
        }
    }

    /// Ends a response, which writes nothing: the length is in the head. The next request may come of it, and be answered
    /// and taken at once: it ends when the one before is through, not within it, for there may be thousands.
    private func goOn(_ context: ChannelHandlerContext) {
        endings += 1
        guard endings == 1 else { return }
        while endings > 0, self.context != nil {
            context.write(wrapOutboundOut(.end(nil)), promise: nil)
            endings -= 1
        }
        if shard.isShuttingDown, case .idle = phase { goAway() }
    }

    /// Refuses a request that is not complete, and ends the connection.
    private func refuse(_ status: HTTPResponseStatus, _ detail: String, retryAfter: Int? = nil) {
        refuse(.problem(status, detail, retryAfter: retryAfter))
    }

    private func refuse(_ response: HTTPResponse) {
        shard.unfinished.forget(self)
        var head = HTTPResponseHead(version: .http1_1, status: response.status, headers: response.headers)
        head.headers.replaceOrAdd(name: "Content-Length", value: "\(response.body.readableBytes)")
        head.headers.replaceOrAdd(name: "Connection", value: "close")
        if case .receiving(let request, _) = phase {
            shard.counters.answer(request, route: services.route(of: request), status: response.status)
            services.addOriginHeaders(to: &head.headers, for: request.headers)
        }
        send(head, response.body, keepAlive: false)
    }

    private func abandon() {
        guard let exchange else { return }
        self.exchange = nil
        shard.remove(slot: exchange, because: closeReason)
    }
}

extension HTTPHandler: OutboundDelegate {
    func outboundDidDrain() {}

    func outboundIsCut() { cut("closing an event stream, for too much waits in all") }
}

extension HTTPHandler: GuardedConnection {
    func keepDeadlines(now: UInt64) {
        switch phase {
        case .streaming(let stream): stream.keepAlive(now: now)
        case .sending: expectProgress(now: now)
        case .idle, .receiving:
            // What has come and waits for its turn is not late.
            if feed.isWaiting { deadline = SystemClock.now.adding(services.configuration.requestTimeout) }
        case .upgrading, .waiting, .answering, .ending: break
        }
        guard now >= deadline else { return }
        switch phase {
        case .receiving:
            closeReason = .timeout
            refuse(.requestTimeout, "The request took too long")
        case .idle, .upgrading, .waiting, .answering, .sending, .streaming, .ending:
            if closeReason == .peer { closeReason = .timeout }
            drop()
        }
    }

    /// However slowly a peer takes its answer, it may; not at all it may not.
    private func expectProgress(now: UInt64) {
        let limit = services.configuration.writeTimeout.nanosecondsClamped
        guard let channel = context?.channel,
            progress.isStuck(waitingBytes: channel.waitingBytes, givenBytes: 0, now: now, limit: limit)
        else { return }
        cut()
    }

    /// Cuts off a peer that takes nothing.
    func cut(_ why: Logger.Message = "closing a connection that does not take its answer") {
        shard.logger.notice(why)
        closeReason = .slow
        context?.abort()
    }

    /// Ends our side of a connection between two requests. A request that has set off meanwhile is not answered, but a
    /// connection that was closed for good would be reset by it, which looks like a broker that has crashed.
    private func leave() {
        phase = .ending
        deadline = SystemClock.now.adding(min(services.configuration.closeTimeout, Self.parting))
        context?.close(mode: .output, promise: nil)
    }

    func goAway() {
        closeReason = .shutdown
        // A request under way is answered first, with `Connection: close`.
        switch phase {
        case .idle: leave()
        case .streaming(let stream): stream.goAway()
        case .receiving, .upgrading, .waiting, .answering, .sending, .ending: break
        }
    }
}

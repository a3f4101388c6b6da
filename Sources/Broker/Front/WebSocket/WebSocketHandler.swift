import BrokerCore
import Driver
import Logging
import NIOCore
import NIOSSL

/// One connection as far as it is a WebSocket: bytes in, driver, bytes out.
///
/// Every connection begins here. The first bytes decide: a WebSocket handshake is accepted or refused, any other
/// request goes to the HTTP handlers with all of its bytes. The driver's events are acted upon after it has returned;
/// only messages go on at once, and what they bring about is written when the turn of the loop ends.
final class WebSocketHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let shard: Shard
    private let services: HTTPServices
    private let origin: ConnectionOrigin
    /// The address that this counts as a connection of, when a proxy has brought it.
    private var claim: AddressClaim
    private var driver: ServerDriver
    private var context: ChannelHandlerContext?
    private(set) var outbound: Outbound?
    /// Who opened it; nil where that does not matter.
    private var caller: Caller?
    /// Where it comes from.
    private var address = AddressClass.unknown
    /// Whose share of the loop's time it takes; nil when that is not limited.
    private var payer: IPAddress? { caller?.address }
    /// The place in the shard, while the WebSocket is open.
    private var slot: UInt32?
    private var closeIsRequested = false
    /// What came in before it was known whether this is a WebSocket, or HTTP, which counts it itself.
    private var handshakeBytes = 0
    /// When the connection is cut unless the peer has ended its side, too.
    private var lingerDeadline: UInt64?
    /// How much more of the peer's bytes is passed over until then.
    private var lingerBytes = 0

    /// Why nothing is read from the peer at present; it is, when there is no reason.
    private var pauses: Set<PauseReason> = []
    /// Whether the peer may compress what it sends.
    private var isDeflated = false
    /// What was read and waits for its turn, and what came of the compressed messages of this one.
    private var backlog = ByteBuffer()
    private var inflatedBytes = 0
    /// So much, and the next messages wait: a thousandth of it may have been sent.
    private static let inflatedBytesPerTurn = 1 << 20
    private var hasHeard = true
    private var lastHeard = SystemClock.monotonic
    private var pingedAt: UInt64?
    /// When the message began that is not complete (ns, monotonic).
    private var messageBegan: UInt64?
    /// Why the connection ends, once something else than the peer ends it.
    private var closeReason = ConnectionEnd.peer

    /// A handler for a new connection.
    init(shard: Shard, services: HTTPServices, origin: ConnectionOrigin) {
        claim = AddressClaim(at: services.gate)
        self.origin = origin
        self.shard = shard
        self.services = services
        driver = ServerDriver(
            options: Self.options(shard.configuration), scratch: shard.scratch, now: SystemClock.monotonic)
        offerCompression()
    }

    /// A handler for a connection on which HTTP requests came before the handshake.
    init(shard: Shard, services: HTTPServices, origin: ConnectionOrigin, request: RequestHead) {
        claim = AddressClaim(at: services.gate)
        self.origin = origin
        self.shard = shard
        self.services = services
        driver = ServerDriver(
            request: request, options: Self.options(shard.configuration), scratch: shard.scratch,
            now: SystemClock.monotonic)
        offerCompression()
    }

    private func offerCompression() {
        guard let compression = services.compression else { return }
        // Refused only when a handshake is over.
        try? driver.addExtension(compression)
    }

    private static func options(_ configuration: BrokerConfiguration) -> DriverOptions {
        var options = DriverOptions()
        options.maximumMessageBytes = configuration.messageBytes
        options.maximumHeadBytes = configuration.headBytes
        options.maximumHeaderCount = configuration.headFields
        options.handshakeTimeout = configuration.handshakeTimeout
        options.closeTimeout = configuration.closeTimeout
        options.subprotocols = [AccessControl.subprotocol]
        return options
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let outbound = Outbound(context: context, unsent: shard.unsent)
        outbound.onRelief = { [weak self] in self?.resume(.output) }
        outbound.onCut = { [weak self] in self?.cut("closing a connection, for too much waits in all") }
        self.outbound = outbound
        shard.guardDeadlines(of: self)
        if let request = driver.request {
            var events = DriverEvents(handler: self)
            decide(on: request, &events)
            if events.isOpened { opened() }
            act(on: events)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        // It has no turn any more.
        backlog = ByteBuffer()
        leave()
        claim.release()
        countHandshake()
        outbound?.forgetSocket()
        shard.dismiss(self)
        self.context = nil
        outbound = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        defer { shard.readBuffer.giveBack(buffer) }
        guard driver.state == .connecting else {
            shard.counters.sockets.receivedBytes += UInt64(buffer.readableBytes)
            return take(buffer)
        }
        handshakeBytes += buffer.readableBytes
        begin(with: buffer)
    }

    /// The handshake, one step at a time: what came in one piece with it is read when it is answered.
    private func begin(with buffer: ByteBuffer) {
        var buffer = buffer
        while buffer.readableBytes > 0, driver.state == .connecting {
            var events = DriverEvents(handler: self)
            buffer.readWithUnsafeReadableBytes { driver.receiveNext($0.bytes, into: &events) }
            if let request = events.request { decide(on: request, &events) }
            if events.isOpened { opened() }
            if events.isHTTP {
                driver.receive(buffer.readableBytesSpan, into: &events)
                return handOver()
            }
            act(on: events)
        }
        if driver.state != .connecting { countHandshake() }
        if buffer.readableBytes > 0 { take(buffer) }
    }

    /// What came before it was known that this is no HTTP.
    private func countHandshake() {
        shard.counters.sockets.receivedBytes += UInt64(handshakeBytes)
        handshakeBytes = 0
    }

    /// Frames.
    private func take(_ buffer: ByteBuffer) {
        guard lingerDeadline == nil else { return passOver(buffer.readableBytes) }
        if isDeflated || payer != nil {
            let isWaiting = backlog.readableBytes > 0
            backlog.writeImmutableBuffer(buffer)
            return isWaiting ? () : takeTurn()
        }
        var events = DriverEvents(handler: self)
        driver.receive(buffer.readableBytesSpan, into: &events)
        hear(events)
        act(on: events)
        shard.relieve()
    }

    /// Takes messages one by one: what comes of a few kilobytes must not keep the loop from others for longer than what comes
    /// of a megabyte, nor what an address has sent for longer than a slice of its share. Behind that much the rest waits for
    /// the next turn, and while it is not read from, whatever the reason, nothing of what was read is taken either.
    private func takeTurn() {
        let start = payer == nil ? 0 : SystemClock.monotonic
        if let payer, case let wait = shard.delay(of: payer, now: start), wait > 0 { return waitForTurn(after: wait) }
        while backlog.readableBytes > 0, !isHeld {
            guard lingerDeadline == nil else {
                passOver(backlog.readableBytes)
                backlog = ByteBuffer()
                break
            }
            var events = DriverEvents(handler: self)
            backlog.readWithUnsafeReadableBytes { driver.receiveNext($0.bytes, into: &events) }
            inflatedBytes += events.messageBytes
            hear(events)
            act(on: events)
            if backlog.readableBytes > 0, isTurnOver(since: start) {
                charge(since: start)
                return waitForTurn()
            }
        }
        charge(since: start)
        // A connection that waits for its peer keeps no memory.
        if backlog.readableBytes == 0 { backlog = ByteBuffer() }
        shard.relieve()
        resume(.turn)
    }

    /// Whether what it has sent waits for something else than its turn.
    private var isHeld: Bool {
        if let slot, shard.throttles(slot) { return true }
        return pauses.count > (pauses.contains(.turn) ? 1 : 0)
    }

    private func isTurnOver(since start: UInt64) -> Bool {
        inflatedBytes >= Self.inflatedBytesPerTurn || payer.map { shard.isTurnOver(of: $0, since: start) } ?? false
    }

    private func charge(since start: UInt64) {
        if let payer { shard.charge(payer, since: start) }
    }

    private func waitForTurn(after wait: UInt64 = 0) {
        shard.relieve()
        scheduleTurn(after: wait)
    }

    private func scheduleTurn(after wait: UInt64 = 0) {
        inflatedBytes = 0
        pause(.turn)
        // A line may be long, and what has closed is not to be kept by it.
        let goOn = { [weak self] in
            if let self, self.context != nil { self.takeTurn() }
        }
        if let payer, wait > 0 { return shard.queue(for: payer, after: wait, goOn) }
        shard.eventLoop.assumeIsolated().executeNextTurn(goOn)
    }

    func channelInactive(context: ChannelHandlerContext) {
        outbound?.forgetSocket()
        var events = DriverEvents(handler: self)
        driver.receiveEnd(into: &events)
        leave()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        shard.logger.debug("connection failed", metadata: ["error": "\(error)"])
        // A peer that leaves in the middle of it, as a check of the port does, is not refused.
        if case .handshakeFailed(let reason)? = error as? NIOSSLError, reason != .sslError([.eofDuringHandshake]) {
            shard.counters.rejectedTLS += 1
        }
        context.close(promise: nil)
    }

    /// Writes frames of the shard.
    func write(_ piece: ByteBuffer) {
        guard let outbound else { return }
        outbound.write(piece)
        let configuration = shard.configuration
        guard outbound.queuedBytes > min(configuration.congestedBytes, configuration.outboundBytes) else { return }
        // What it asks for must not grow faster than what it takes.
        pause(.output)
        if outbound.queuedBytes > configuration.outboundBytes {
            shard.logger.notice(
                "closing a connection that does not read", metadata: ["queuedBytes": "\(outbound.queuedBytes)"])
            closeReason = .slow
            // Later: the driver of this very connection may be at work further up.
            shard.eventLoop.assumeIsolated().execute { self.context?.abort() }
        }
    }

    /// Cuts off a peer that does not read: a closing handshake would wait behind all that it has not read.
    func cut(_ why: Logger.Message = "cutting off a slow subscriber") {
        shard.logger.notice(why, metadata: ["queuedBytes": "\(outbound?.queuedBytes ?? 0)"])
        closeReason = .slow
        context?.abort()
    }

    /// Closes the WebSocket, normally, behind what is written in this turn of the loop.
    func closeAfterFlush() {
        guard !closeIsRequested else { return }
        closeIsRequested = true
        closeReason = .done
        shard.eventLoop.assumeIsolated().execute { self.close(.normal) }
    }

    private func close(_ code: CloseCode, reason: String = "") {
        guard context != nil else { return }
        shard.flush()
        leave()
        var events = DriverEvents(handler: self)
        if !driver.close(code, reason: reason, now: SystemClock.monotonic) { driver.receiveEnd(into: &events) }
        act(on: events)
    }
}

/// Decisions and their execution.
extension WebSocketHandler {
    /// Accepts a handshake at the endpoint from an origin that is let in, else refuses it.
    private func decide(on request: RequestHead, _ events: inout DriverEvents) {
        let target = RequestTarget(request.target)
        let client = services.gate.client(of: self.origin, request.headers.all)
        address = client.address.map { AddressClass($0) } ?? AddressClass(of: context?.channel.remoteAddress)
        if let refusal = self.origin.refusal ?? refusal(ofProxied: client) {
            driver.setHeader("Retry-After", "\(refusal.retryAfter)")
            return driver.refuse(status: refusal.status, reason: refusal.text, into: &events)
        }
        let origin = request.headers.first("Origin") ?? request.headers.first("Sec-WebSocket-Origin")
        if !target.isBelow(shard.configuration.endpoint) {
            shard.counters.rejectedHandshakes += 1
            driver.refuse(status: 404, reason: "No WebSocket endpoint at \(target.path)", into: &events)
        } else if let refusal = services.refusal(ofHosts: request.headers.all("Host")) {
            shard.counters.rejectedHandshakes += 1
            driver.refuse(status: refusal.status, reason: refusal.text, into: &events)
        } else if !services.names.origins.allows(origin: origin, host: request.headers.first("Host")) {
            shard.counters.rejectedOrigins += 1
            driver.refuse(
                status: 403, reason: "Origin \(origin ?? "") is not allowed: see --allow-origin", into: &events)
        } else {
            caller = services.access.caller(ofSocket: request, target, at: services.gate.limited(client))
            if let refusal = caller?.refusal {
                shard.counters.rejectedCredentials += 1
                return driver.refuse(status: 401, reason: refusal.text, into: &events)
            }
            _ = driver.start(into: &events)
        }
    }

    /// Counts a WebSocket that a trusted proxy has brought as its client's connection; why that may have no more.
    private func refusal(ofProxied client: ClientAddress) -> ConnectionRefusal? {
        guard origin.isTrusted, let address = services.gate.limited(client) else { return nil }
        return claim.take(address, isConnection: true)
    }

    /// Does what the driver's events ask for: what it wants written goes out, and the connection ends when it is over.
    private func act(on events: DriverEvents) {
        if let violation = events.violation {
            closeReason = .violation
            if slot == nil { shard.counters.rejectedHandshakes += 1 }
            shard.logger.debug("protocol violation", metadata: ["reason": "\(violation.message)"])
        }
        if events.hasUnsupportedMessage, driver.state == .open {
            closeReason = .violation
            _ = driver.close(.unsupportedData, reason: "Binary messages are not supported", now: SystemClock.monotonic)
        }
        if slot != nil, driver.state != .open {
            // What the router has replied so far goes before the closing frame, nothing behind it.
            shard.flush()
            leave()
        }
        let hasLastWord = driver.hasOutput
        if hasLastWord {
            let output = driver.takeOutput()
            shard.counters.sockets.sentBytes += UInt64(output.count)
            write(ByteBuffer(bytes: output))
        }
        guard driver.shouldCloseTransport, lingerDeadline == nil else { return }
        if hasLastWord {
            lingerDeadline = SystemClock.now.adding(shard.configuration.closeTimeout)
            lingerBytes = shard.configuration.messageBytes
            outbound?.endOutput()
        } else {
            context?.close(promise: nil)
        }
    }

    /// Bytes that come after the end are not read for ever.
    private func passOver(_ count: Int) {
        lingerBytes -= count
        if lingerBytes < 0 { context?.close(promise: nil) }
    }

    /// The handshake is over, and with it the form of what goes out is known.
    private func opened() {
        shard.counters.sockets.begin()
        let form = driver.wireForm ?? .hybi
        isDeflated = form != .hybi && form != .hixie
        slot = shard.add(self, form: .webSocket(form))
    }

    /// A message, while the driver is at work.
    func received(_ text: RawSpan) {
        guard let slot else { return }
        do {
            try shard.receive(text: text, fromSocketIn: slot, at: address, caller: caller)
        } catch {
            shard.counters.ignoredTexts += 1
            // The contract: such a frame is ignored, the socket stays open.
            shard.logger.info("ignored a message that is no Bayeux batch", metadata: ["reason": "\(error)"])
        }
    }

    private func leave() {
        guard let slot else { return }
        self.slot = nil
        shard.counters.sockets.end(closeReason)
        shard.remove(slot: slot, because: closeReason)
        // Who has no slot is not told when they are over; the peer's last frame is still to be read.
        resume(.store)
        resume(.loop)
    }

    /// Gives the connection and all of its bytes to the HTTP handlers.
    private func handOver() {
        guard let context else { return }
        let bytes = ByteBuffer(bytes: driver.takeReceivedBytes())
        handshakeBytes = 0
        do {
            try shard.readBuffer.leave(context.channel)
            try HTTPHandler.install(in: context.pipeline, shard: shard, services: services, origin: origin)
            context.fireChannelRead(wrapInboundOut(bytes))
            context.fireChannelReadComplete()
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        } catch {
            context.fireErrorCaught(error)
            context.close(promise: nil)
        }
    }
}

extension WebSocketHandler: GuardedConnection {
    func keepDeadlines(now: UInt64) {
        if let lingerDeadline {
            if lingerDeadline <= now { context?.close(promise: nil) }
            return
        }
        if let deadline = driver.nextDeadline, deadline <= now {
            var events = DriverEvents(handler: self)
            driver.advance(to: now, into: &events)
            act(on: events)
            return
        }
        if outbound?.isStuck(now: now, limit: shard.configuration.writeTimeout.nanosecondsClamped) == true {
            return cut("closing a connection that does not read")
        }
        guard driver.state == .open else { return }
        // Of one that is not read from nothing can be heard.
        if !pauses.isEmpty, messageBegan != nil { messageBegan = now }
        if let messageBegan, now - min(now, messageBegan) >= shard.configuration.messageTimeout.nanosecondsClamped {
            closeReason = .timeout
            let limit = shard.configuration.messageTimeout.components.seconds
            close(.policyViolation, reason: "A message takes longer than \(limit) s")
        } else if hasHeard || !pauses.isEmpty {
            hasHeard = false
            lastHeard = now
            pingedAt = nil
        } else if let pingedAt {
            guard now - pingedAt >= shard.configuration.pongTimeout.nanosecondsClamped else { return }
            giveUp()
        } else if now - lastHeard >= shard.configuration.pingInterval.nanosecondsClamped {
            if driver.ping(RawSpan()) {
                pingedAt = now
                act(on: DriverEvents(handler: self))
            } else if now - lastHeard >= 2 * services.configuration.limits.timeout.nanosecondsClamped {
                // Without pings (hixie) a client is heard only when it speaks: its session has ended by now.
                giveUp()
            }
        }
    }

    private func giveUp() {
        shard.logger.debug("closing a connection that gives no sign of life")
        closeReason = .pong
        context?.close(promise: nil)
    }

    /// A sign of life is what is whole: a message, a ping or a pong; and the pieces of a message while it may take its
    /// time, for no pong can come within a frame.
    private func hear(_ events: DriverEvents) {
        guard driver.isWithinMessage else {
            messageBegan = nil
            return heard(events.isAlive)
        }
        if events.hasMessage || messageBegan == nil { messageBegan = SystemClock.monotonic }
        heard(true)
    }

    private func heard(_ isAlive: Bool) {
        guard isAlive else { return }
        hasHeard = true
        if let pingedAt { heard(since: pingedAt) }
    }

    /// The first sign of life since a ping.
    private func heard(since ping: UInt64) {
        pingedAt = nil
        lastHeard = SystemClock.monotonic
        shard.counters.pongs.observe(Double(lastHeard - ping) / 1e9)
    }

    /// Reads nothing more from the peer.
    func pause(_ reason: PauseReason) {
        guard pauses.insert(reason).inserted, pauses.count == 1 else { return }
        _ = context?.channel.setOption(.autoRead, value: false)
    }

    /// Reads on, if there is no other reason not to.
    func resume(_ reason: PauseReason) {
        guard pauses.remove(reason) != nil, pauses.isEmpty else { return }
        // What was read before comes first.
        if backlog.readableBytes > 0 { return scheduleTurn() }
        _ = context?.channel.setOption(.autoRead, value: true)
    }

    func goAway() {
        closeReason = .shutdown
        close(.serviceRestart)
    }
}

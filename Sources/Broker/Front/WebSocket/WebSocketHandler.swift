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

    /// What follows our last word.
    private final class Lingering {
        /// When the connection is cut unless the peer has ended its side, too.
        let deadline: UInt64
        /// How much more of the peer's bytes is passed over until then.
        var byteCount: Int

        init(until deadline: UInt64, byteCount: Int) {
            (self.deadline, self.byteCount) = (deadline, byteCount)
        }
    }

    let shard: Shard
    let services: HTTPServices
    let origin: ConnectionOrigin
    /// The address that this counts as a connection of, when a proxy has brought it.
    var claim = AddressClaim()
    var driver: ServerDriver
    private(set) var context: ChannelHandlerContext?
    private(set) var outbound: Outbound?
    /// Who opened it; nil where that does not matter.
    var caller: Caller?
    /// Whose share of the loop's time it takes; nil when that is not limited.
    var payer: IPAddress? { caller?.address }
    /// What came in before it was known whether this is a WebSocket, or HTTP, which counts it itself.
    var handshakeBytes = 0
    private var lingering: Lingering?
    /// Whether all has been said, and only the peer's end is awaited.
    var isLingering: Bool { lingering != nil }

    /// Why nothing is read from the peer at present; it is, when there is no reason.
    var pauses: Set<PauseReason> = []
    /// What was read and waits for its turn.
    var backlog = Backlog()
    private var life = SignsOfLife(now: SystemClock.monotonic)
    // Small ones here, where they fill the last word of what comes before: there are many connections.
    /// Where it comes from.
    var address = AddressClass.unknown
    private var closeIsRequested = false
    /// Whether it was told that the broker stops, and has not answered that yet. It has its slot until then.
    private(set) var isSentAway = false
    /// Whether the peer may compress what it sends.
    var isDeflated = false
    /// Why the connection ends, once something else than the peer ends it.
    private var closeReason = ConnectionEnd.peer
    /// The place in the shard, while the WebSocket is open.
    var slot: UInt32?
    var watchPlace: UInt32?

    /// A handler for a new connection.
    init(shard: Shard, services: HTTPServices, origin: ConnectionOrigin) {
        self.origin = origin
        self.shard = shard
        self.services = services
        driver = ServerDriver(
            options: Self.options(shard.configuration), scratch: shard.scratch, now: SystemClock.monotonic)
        offerCompression()
    }

    /// A handler for a connection on which HTTP requests came before the handshake.
    init(shard: Shard, services: HTTPServices, origin: ConnectionOrigin, request: RequestHead) {
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
        outbound = Outbound(context: context, unsent: shard.unsent, delegate: self)
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
        backlog.clear()
        shard.unfinished.forget(self)
        leave()
        part(hasAll: false)
        claim.release(at: services.gate)
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
    /// Does what the driver's events ask for: what it wants written goes out, and the connection ends when it is over.
    func act(on events: DriverEvents) {
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
            if events.hasAnsweredRestart { part(hasAll: true) }
        }
        let hasLastWord = driver.hasOutput
        writeOutput()
        guard driver.shouldCloseTransport, !isLingering else { return }
        if hasLastWord {
            lingering = Lingering(
                until: SystemClock.now.adding(shard.configuration.closeTimeout),
                byteCount: shard.configuration.messageBytes)
            outbound?.endOutput()
        } else {
            outbound?.handOver()
            context?.close(promise: nil)
        }
    }

    /// Writes what the driver has to say.
    func writeOutput() {
        guard driver.hasOutput else { return }
        let output = driver.takeOutput()
        shard.counters.sockets.sentBytes += UInt64(output.count)
        write(ByteBuffer(bytes: output))
    }

    /// Bytes that come after the end are not read for ever.
    func passOver(_ count: Int) {
        guard let lingering else { return }
        lingering.byteCount -= count
        if lingering.byteCount < 0 { context?.close(promise: nil) }
    }

    /// A message, while the driver is at work.
    func received(_ text: RawSpan) {
        guard let slot, !isSentAway else { return }
        do {
            try shard.receive(text: text, fromSocketIn: slot, at: address, caller: caller)
        } catch {
            shard.counters.ignoredTexts += 1
            // The contract: such a frame is ignored, the socket stays open.
            shard.logger.info("ignored a message that is no Bayeux batch", metadata: ["reason": "\(error)"])
        }
    }

    private func leave() {
        guard let slot, !isSentAway else { return }
        shard.counters.sockets.end(closeReason)
        if closeReason == .shutdown {
            isSentAway = true
            shard.sendAway(slot: slot)
        } else {
            self.slot = nil
            shard.remove(slot: slot, because: closeReason)
        }
        // Who has no slot is not told when they are over; the peer's last frame is still to be read.
        resume(.store)
        resume(.loop)
    }
}

extension WebSocketHandler {
    /// What was sent away has answered, and has all that came before the closing frame, or is gone.
    private func part(hasAll: Bool) {
        guard isSentAway, let slot else { return }
        self.slot = nil
        shard.part(slot: slot, hasAll: hasAll)
    }
}

extension WebSocketHandler: OutboundDelegate {
    func outboundDidDrain() { resume(.output) }

    func outboundIsCut() { cut("closing a connection, for too much waits in all") }
}

extension WebSocketHandler: GuardedConnection {
    func keepDeadlines(now: UInt64) {
        if let lingering {
            if lingering.deadline <= now { context?.close(promise: nil) }
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
        guard driver.state == .open, !closeIsRequested else { return }
        let verdict = life.judge(
            now: now, isPaused: !pauses.isEmpty, messageTimeout: shard.configuration.messageTimeout,
            pongTimeout: shard.configuration.pongTimeout, pingInterval: shard.configuration.pingInterval)
        switch verdict {
        case .alive: break
        case .messageOverdue:
            closeReason = .timeout
            let limit = shard.configuration.messageTimeout.components.seconds
            close(.policyViolation, reason: "A message takes longer than \(limit) s")
        case .silent(let since):
            if driver.ping(RawSpan()) {
                life.ping(now: now)
                act(on: DriverEvents(handler: self))
            } else if now - since >= 2 * services.configuration.limits.timeout.nanosecondsClamped {
                // Without pings (hixie) a client is heard only when it speaks: its session has ended by now.
                giveUp()
            }
        case .dead: giveUp()
        }
    }

    /// There is no room for what it sends.
    func refuseInput() {
        closeReason = .unfinished
        close(.tryAgainLater, reason: UnfinishedInput.refusal)
    }

    private func giveUp() {
        shard.logger.debug("closing a connection that gives no sign of life")
        closeReason = .pong
        context?.close(promise: nil)
    }

    /// Notes what was heard of the peer.
    func hear(_ events: DriverEvents) {
        guard let delay = life.hear(events, isWithinMessage: driver.isWithinMessage) else { return }
        shard.counters.pongs.observe(Double(delay) / 1e9)
    }

    func goAway() {
        closeReason = .shutdown
        close(.serviceRestart)
    }
}

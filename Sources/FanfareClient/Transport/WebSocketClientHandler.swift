import Driver
import NIOCore

/// One WebSocket connection of a client: bytes to and from the driver.
final class WebSocketClientHandler: ChannelInboundHandler, ClientTransport {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A silent connection is pinged after this time, and given up when it stays silent for `pongTimeout`.
    private static let pingInterval = TimeAmount.seconds(25)
    private static let pongTimeout = TimeAmount.seconds(10)

    private var driver: ClientDriver<SystemRandomNumberGenerator>
    private weak var owner: (any ConnectionOwner)?
    private var context: ChannelHandlerContext?
    private var lastHeard = NIODeadline.now()
    private var pingedAt: NIODeadline?
    private var watch: RepeatedTask?
    private(set) var isPaused = false
    private var failure: ClientError?
    private var isOver = false

    init(configuration: ClientConfiguration, owner: any ConnectionOwner) throws {
        var driver = ClientDriver(url: configuration.endpoint.url, now: NIODeadline.now().uptimeNanoseconds)
        if let token = configuration.token { driver.setHeader("Authorization", "Bearer \(token)") }
        if configuration.offersCompression {
            var options = PermessageDeflate.Options()
            options.minimumBytes = 1024
            try driver.addExtension(PermessageDeflate(options))
        }
        self.driver = driver
        self.owner = owner
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { start(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        start(context)
        context.fireChannelActive()
    }

    private func start(_ context: ChannelHandlerContext) {
        guard watch == nil else { return }
        guard owner?.connectionBegan(self) == true else {
            owner = nil
            return context.close(promise: nil)
        }
        driver.start()
        flushOutput(context)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        watch = context.eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            let (handler, context) = bound.value
            handler.keepDeadlines(context)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastHeard = .now()
        pingedAt = nil
        var events = ClientEvents(owner: owner)
        let bytes = unwrapInboundIn(data)
        driver.receive(bytes.readableBytesSpan, into: &events)
        act(on: events, context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if !isOver { owner?.connectionReadCompleted() }
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        var events = ClientEvents(owner: owner)
        driver.receiveEnd(into: &events)
        act(on: events, context)
        finish(failure ?? ClientError(.unreachable, "the connection was closed"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = failure ?? Dialer.loss(by: error)
        context.close(promise: nil)
    }

    /// Sends a text, which is valid UTF-8.
    func send(_ text: [UInt8]) {
        guard let context, !isOver else { return }
        driver.text(text.span.bytes)
        flushOutput(context)
    }

    /// Begins the closing handshake.
    func close() {
        guard let context, !isOver else { return }
        if driver.close(.normal, now: NIODeadline.now().uptimeNanoseconds) { flushOutput(context) }
        if driver.shouldCloseTransport { context.close(promise: nil) }
    }

    /// Closes the connection without a farewell.
    func giveUp(_ error: ClientError) {
        guard let context, !isOver else { return }
        failure = failure ?? error
        context.close(promise: nil)
    }

    /// Stops reading, or goes on.
    func pause(_ isPaused: Bool) {
        guard self.isPaused != isPaused, let context else { return }
        self.isPaused = isPaused
        pingedAt = nil
        lastHeard = .now()
        context.channel.setOption(.autoRead, value: !isPaused).whenFailure { _ in }
    }

    private func act(on events: ClientEvents, _ context: ChannelHandlerContext) {
        flushOutput(context)
        if let violation = events.violation {
            let isDenied = driver.status == 401 || driver.status == 403
            failure = failure ?? ClientError(isDenied ? .denied : .unreachable, violation.message)
        }
        if let (code, reason) = events.closure {
            let why = reason.isEmpty ? "" : ", \(reason)"
            // What is too large once is too large again.
            let kind = code == .messageTooBig ? ClientError.Kind.refused : .unreachable
            finish(failure ?? ClientError(kind, "the broker closed the connection (\(code.rawValue)\(why))"))
        }
        if driver.shouldCloseTransport { context.close(promise: nil) }
    }

    private func finish(_ error: ClientError) {
        watch?.cancel()
        guard !isOver else { return }
        isOver = true
        owner?.connectionClosed(error)
    }

    private func flushOutput(_ context: ChannelHandlerContext) {
        guard driver.hasOutput else { return }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: driver.takeOutput())), promise: nil)
    }

    private func keepDeadlines(_ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        var events = ClientEvents(owner: owner)
        if let deadline = driver.nextDeadline, deadline <= now.uptimeNanoseconds {
            driver.advance(to: now.uptimeNanoseconds, into: &events)
        } else if let pingedAt {
            if now - pingedAt >= Self.pongTimeout {
                giveUp(ClientError(.unreachable, "the broker does not answer"))
            }
        } else if driver.state == .open, !isPaused, now - lastHeard >= Self.pingInterval {
            pingedAt = now
            driver.ping()
        }
        act(on: events, context)
    }
}

/// What the driver tells of. Messages go to the owner, which does not call the driver; the rest is acted upon afterwards.
private struct ClientEvents: DriverSink {
    let owner: (any ConnectionOwner)?
    var violation: ProtocolViolation?
    var closure: (CloseCode, String)?

    init(owner: (any ConnectionOwner)?) { self.owner = owner }

    mutating func open() { owner?.connectionOpened() }
    mutating func message(_ payload: RawSpan, kind: MessageKind) { owner?.connectionReceived(payload) }
    mutating func failed(_ violation: ProtocolViolation) { self.violation = violation }
    mutating func closed(_ code: CloseCode, reason: String) { closure = (code, reason) }
}

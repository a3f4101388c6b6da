import Driver
import NIOCore

/// One WebSocket connection of a client: bytes to and from the driver, text messages to and from the program.
final class WebSocketClientHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A silent connection is pinged after this time, and given up when it stays silent for `pongTimeout`.
    private static let pingInterval = TimeAmount.seconds(25)
    private static let pongTimeout = TimeAmount.seconds(10)

    private var driver: ClientDriver<SystemRandomNumberGenerator>
    private let opened: EventLoopPromise<Void>
    private var lastHeard = NIODeadline.now()
    private var pingedAt: NIODeadline?
    private var watch: RepeatedTask?

    /// `opened` succeeds with the handshake, or fails with a `CLIError`.
    init(url: WebSocketURL, opened: EventLoopPromise<Void>) {
        driver = ClientDriver(url: url, now: NIODeadline.now().uptimeNanoseconds)
        self.opened = opened
    }

    func channelActive(context: ChannelHandlerContext) {
        _ = driver.start()
        flushOutput(context)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        watch = context.eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            let (handler, context) = bound.value
            handler.keepDeadlines(context)
        }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastHeard = .now()
        pingedAt = nil
        var events = ClientEvents()
        let bytes = unwrapInboundIn(data)
        driver.receive(bytes.readableBytesSpan, into: &events)
        act(on: events, context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        watch?.cancel()
        var events = ClientEvents()
        driver.receiveEnd(into: &events)
        act(on: events, context)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        // Where no connection came about, nobody else has kept the promise.
        opened.fail(CLIError.unreachable("the connection was closed"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        opened.fail(CLIError.unreachable("the connection failed: \(error)"))
        context.fireErrorCaught(CLIError.unreachable("the connection was lost: \(error)"))
        context.close(promise: nil)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let text = unwrapOutboundIn(data)
        _ = driver.text(text.readableBytesSpan)
        context.write(wrapOutboundOut(ByteBuffer(bytes: driver.takeOutput())), promise: promise)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if driver.close(.normal, now: NIODeadline.now().uptimeNanoseconds) { flushOutput(context) }
        context.close(mode: mode, promise: promise)
    }

    private func act(on events: ClientEvents, _ context: ChannelHandlerContext) {
        flushOutput(context)
        if let violation = events.violation {
            let isDenied = driver.status == 401 || driver.status == 403
            let error = isDenied ? CLIError.denied(violation.message) : CLIError.unreachable(violation.message)
            opened.fail(error)
            context.fireErrorCaught(error)
        }
        if events.isOpen { opened.succeed() }
        for message in events.messages { context.fireChannelRead(wrapInboundOut(message)) }
        if let (code, reason) = events.closure {
            let why = reason.isEmpty ? "" : ", \(reason)"
            let error = CLIError.unreachable("the broker closed the connection (\(code.rawValue)\(why))")
            opened.fail(error)
            context.fireErrorCaught(error)
        }
        if driver.shouldCloseTransport { context.close(promise: nil) }
    }

    private func flushOutput(_ context: ChannelHandlerContext) {
        guard driver.hasOutput else { return }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: driver.takeOutput())), promise: nil)
    }

    private func keepDeadlines(_ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        var events = ClientEvents()
        if let deadline = driver.nextDeadline, deadline <= now.uptimeNanoseconds {
            driver.advance(to: now.uptimeNanoseconds, into: &events)
        } else if let pingedAt {
            if now - pingedAt >= Self.pongTimeout { driver.receiveEnd(into: &events) }
        } else if driver.state == .open, now - lastHeard >= Self.pingInterval {
            pingedAt = now
            _ = driver.ping(RawSpan())
        }
        act(on: events, context)
    }
}

/// What the driver tells of, to be acted upon when it has returned.
private struct ClientEvents: DriverSink {
    var isOpen = false
    var messages: [ByteBuffer] = []
    var violation: ProtocolViolation?
    var closure: (CloseCode, String)?

    mutating func open() { isOpen = true }
    mutating func message(_ payload: RawSpan, kind: MessageKind) {
        messages.append(payload.withUnsafeBytes { ByteBuffer(bytes: $0) })
    }
    mutating func failed(_ violation: ProtocolViolation) { self.violation = violation }
    mutating func closed(_ code: CloseCode, reason: String) { closure = (code, reason) }
}

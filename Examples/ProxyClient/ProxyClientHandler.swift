import Driver
import NIOCore

/// One conversation over a channel: the tunnel first, if there is a proxy, then the WebSocket in it.
///
/// The driver's calls come first, then its output is written, then the events are acted upon.
final class ProxyClientHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let text: String
    private let answer: EventLoopPromise<String>
    private var tunnel: ProxyConnect?
    private var driver: ClientDriver<SystemRandomNumberGenerator>
    private var sink = Sink()
    private var timer: Scheduled<Void>?

    /// Sends `text` to `url`; `answer` gets the first text that comes back.
    init(url: WebSocketURL, proxy: ProxyURL?, text: String, answer: EventLoopPromise<String>) {
        let now = NIODeadline.now().uptimeNanoseconds
        self.text = text
        self.answer = answer
        tunnel = proxy.map { ProxyConnect(to: url, through: $0, now: now) }
        driver = ClientDriver(url: url, now: now)
    }

    func channelActive(context: ChannelHandlerContext) {
        if let request = tunnel?.start() {
            write(request, context)
        } else {
            driver.start()
        }
        settle(context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if tunnel == nil {
            driver.receive(bytes.readableBytesSpan, into: &sink)
        } else {
            follow(tunnel?.receive(bytes.readableBytesSpan), context)
        }
        settle(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if tunnel != nil { follow(tunnel?.receiveEnd(), context) }
        driver.receiveEnd(into: &sink)
        settle(context)
        timer?.cancel()
        answer.fail(ConversationError(description: "the connection was closed"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.fail(error)
        context.close(promise: nil)
    }

    private func follow(_ outcome: ProxyConnect.Outcome?, _ context: ChannelHandlerContext) {
        switch outcome {
        case .connected(let surplus):
            tunnel = nil
            // For wss, TLS would begin here: a NIOSSL handler in front of this one.
            driver.start()
            driver.receive(surplus.span.bytes, into: &sink)
        case .failed(let failure):
            answer.fail(ConversationError(description: "\(failure): \(failure.reason)"))
            context.close(promise: nil)
        case .pending, nil:
            break
        }
    }

    /// Writes what there is, does what the events ask for, and sees to the next deadline.
    private func settle(_ context: ChannelHandlerContext) {
        if let violation = sink.violation { answer.fail(ConversationError(description: violation.message)) }
        if sink.isOpen, !driver.text(text) { answer.fail(ConversationError(description: "the text cannot be sent")) }
        if let received = sink.text {
            answer.succeed(received)
            driver.close(now: NIODeadline.now().uptimeNanoseconds)
        }
        sink = Sink()
        if driver.hasOutput { write(driver.takeOutput(), context) }
        if tunnel == nil, driver.shouldCloseTransport { return context.close(promise: nil) }
        schedule(context)
    }

    private func schedule(_ context: ChannelHandlerContext) {
        timer?.cancel()
        guard let deadline = tunnel?.nextDeadline ?? driver.nextDeadline else { return }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: .uptimeNanoseconds(deadline)) {
            let (handler, context) = bound.value
            handler.advance(to: deadline, context)
        }
    }

    private func advance(to now: UInt64, _ context: ChannelHandlerContext) {
        if tunnel == nil {
            driver.advance(to: now, into: &sink)
        } else {
            follow(tunnel?.advance(to: now), context)
        }
        settle(context)
    }

    private func write(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }
}

/// What one call of the driver brought.
private struct Sink: DriverSink {
    var isOpen = false
    var text: String?
    var violation: ProtocolViolation?

    mutating func open() { isOpen = true }
    mutating func message(_ payload: RawSpan, kind: MessageKind) {
        if text == nil { text = payload.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
    }
    mutating func failed(_ violation: ProtocolViolation) { self.violation = violation }
}

/// Why there was no answer.
struct ConversationError: Error, CustomStringConvertible {
    let description: String
}

import Driver
import NIOCore

/// Asks a proxy for a tunnel, and leaves the pipeline when it stands.
final class TunnelHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var tunnel: ProxyConnect
    private let isOpen: EventLoopPromise<[UInt8]>
    private var timer: Scheduled<Void>?

    /// `isOpen` succeeds with what came behind the proxy's answer.
    init(url: WebSocketURL, proxy: ProxyURL, options: DriverOptions, isOpen: EventLoopPromise<[UInt8]>) {
        tunnel = ProxyConnect(to: url, through: proxy, options: options, now: NIODeadline.now().uptimeNanoseconds)
        self.isOpen = isOpen
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: tunnel.start())), promise: nil)
        guard let deadline = tunnel.nextDeadline else { return }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: .uptimeNanoseconds(deadline)) {
            let (handler, context) = bound.value
            handler.follow(handler.tunnel.advance(to: deadline), context)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        follow(tunnel.receive(bytes.readableBytesSpan), context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        follow(tunnel.receiveEnd(), context)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        timer?.cancel()
        isOpen.fail(error)
        context.close(promise: nil)
    }

    private func follow(_ outcome: ProxyConnect.Outcome, _ context: ChannelHandlerContext) {
        switch outcome {
        case .pending:
            break
        case .failed(let failure):
            timer?.cancel()
            isOpen.fail(ClientError(.unreachable, "the proxy: \(failure.reason)"))
            context.close(promise: nil)
        case .connected(let surplus):
            timer?.cancel()
            let isOpen = isOpen
            context.pipeline.syncOperations.removeHandler(self).whenComplete { _ in isOpen.succeed(surplus) }
        }
    }
}

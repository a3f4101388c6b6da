import BrokerCore
import NIOCore
import NIOTLS

/// Gives TLS what was read, until its handshake is over, when the share of its address lets it.
///
/// A signature takes the time of a hundred messages, whoever asks for it. Behind the handshake this is not needed: of an
/// address that waits for its share nothing is read, so that nothing is decrypted either.
final class HandshakeFeed: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData

    /// Takes the feed away when the handshake is over; it stands behind TLS.
    final class End: ChannelInboundHandler, RemovableChannelHandler {
        typealias InboundIn = ByteBuffer

        private let feed: HandshakeFeed

        init(of feed: HandshakeFeed) { self.feed = feed }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            context.fireUserInboundEventTriggered(event)
            guard case .handshakeCompleted? = event as? TLSUserEvent else { return }
            feed.isOver = true
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        }
    }

    private let shard: Shard
    private let payer: IPAddress
    private var context: ChannelHandlerContext?
    /// What waits; nothing more is read meanwhile.
    private var backlog = ByteBuffer()
    private var isWaiting = false
    /// Whether the channel is to be read from when that is over.
    private var isAsked = false
    private var isOver = false

    init(shard: Shard, payer: IPAddress) {
        self.shard = shard
        self.payer = payer
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        backlog = ByteBuffer()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isWaiting {
            var piece = unwrapInboundIn(data)
            backlog.writeBuffer(&piece)
        } else if !isOver, case let wait = shard.delay(of: payer, now: SystemClock.monotonic), wait > 0 {
            // A copy: what it was read into is for the next connection.
            backlog.writeImmutableBuffer(unwrapInboundIn(data))
            isWaiting = true
            shard.queue(for: payer, after: wait) { [weak self] in self?.goOn() }
        } else {
            give(data, to: context)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if !isWaiting { complete(context) }
    }

    func read(context: ChannelHandlerContext) {
        if isWaiting { isAsked = true } else { context.read() }
    }

    private func goOn() {
        guard let context, isWaiting else { return }
        isWaiting = false
        let bytes = backlog
        backlog = ByteBuffer()
        give(wrapInboundOut(bytes), to: context)
        let channel = context.channel
        complete(context)
        // From its end: this handler may be no part of it any more.
        if isAsked { channel.read() }
        isAsked = false
    }

    private func give(_ data: NIOAny, to context: ChannelHandlerContext) {
        let start = SystemClock.monotonic
        context.fireChannelRead(data)
        shard.charge(payer, since: start)
    }

    /// All that was read was given.
    private func complete(_ context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        if isOver, self.context != nil { context.pipeline.syncOperations.removeHandler(context: context, promise: nil) }
    }
}

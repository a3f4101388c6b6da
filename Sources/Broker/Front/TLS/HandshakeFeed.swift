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
            guard case .handshakeCompleted? = event as? TLSUserEvent else {
                return context.fireUserInboundEventTriggered(event)
            }
            // What came in one piece with the end of the handshake is read next, and charged by whoever reads it.
            feed.end()
            context.fireUserInboundEventTriggered(event)
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        }
    }

    /// In so many bytes there is no whole hello, and nothing is signed for them.
    private static let bytesWithoutHello = 42
    /// So often a connection that has sent more than that goes first, at most: what follows a hello comes in a few pieces,
    /// unless it drips.
    private static let turnsAheadCount = 4
    private let shard: Shard
    private let payer: IPAddress
    private var context: ChannelHandlerContext?
    /// What waits; nothing more is read meanwhile.
    private var backlog = ByteBuffer()
    private var isWaiting = false
    /// Whether the channel is to be read from when that is over.
    private var isAsked = false
    private var givenByteCount = 0
    private var turnsAhead = HandshakeFeed.turnsAheadCount
    /// When TLS was given what it is at work on (ns, monotonic).
    private var start: UInt64?
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
        forget()
    }

    func channelInactive(context: ChannelHandlerContext) {
        forget()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isWaiting {
            var piece = unwrapInboundIn(data)
            backlog.writeBuffer(&piece)
        } else if case let wait = wait(of: unwrapInboundIn(data).readableBytes), wait > 0 {
            // A copy: what it was read into is for the next connection.
            backlog.writeImmutableBuffer(unwrapInboundIn(data))
            isWaiting = true
            // Whom a signature was made for does not stand behind all who want one, or nobody would be let in before all are.
            let isFirst = givenByteCount > Self.bytesWithoutHello && turnsAhead > 0
            if isFirst { turnsAhead -= 1 }
            shard.queue(for: payer, after: wait, isFirst: isFirst) { [weak self] in self?.goOn() }
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

    /// How long (ns) so many bytes wait for the share of the address.
    private func wait(of byteCount: Int) -> UInt64 {
        if isOver || givenByteCount + byteCount <= Self.bytesWithoutHello { return 0 }
        return shard.delay(of: payer, now: SystemClock.monotonic)
    }

    private func goOn() {
        guard let context, isWaiting else { return }
        isWaiting = false
        let bytes = backlog
        backlog = ByteBuffer()
        let channel = context.channel
        give(wrapInboundOut(bytes), to: context)
        complete(context)
        // From its end: this handler may be no part of it any more. Who does not want to be read from now asks again.
        if isAsked, (try? channel.syncOptions?.getOption(.autoRead)) == true { channel.read() }
        isAsked = false
    }

    private func give(_ data: NIOAny, to context: ChannelHandlerContext) {
        givenByteCount += unwrapInboundIn(data).readableBytes
        start = SystemClock.monotonic
        context.fireChannelRead(data)
        charge()
    }

    private func charge() {
        if let start { shard.charge(payer, since: start) }
        start = nil
    }

    /// The handshake is over.
    private func end() {
        isOver = true
        charge()
    }

    /// All that was read was given.
    private func complete(_ context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        if isOver, self.context != nil {
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        }
    }

    private func forget() {
        backlog = ByteBuffer()
        isWaiting = false
    }
}

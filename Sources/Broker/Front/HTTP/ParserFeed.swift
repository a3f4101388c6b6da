import BrokerCore
import NIOCore

/// Gives the parser what was read a small piece at a time, and the next piece only when the socket would be read from, too:
/// while a request waits for its answer, what came behind it waits as the bytes that it is.
///
/// Of six bytes the parser makes an event of 72, and the room that the pipelining handler has for those never shrinks: with
/// more at once each connection would keep a megabyte for 64 KiB that it has ever sent. And a body in pieces of a byte takes
/// a hundred times its time: an address has a share of that, as of all that it sends.
final class ParserFeed: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData

    /// So much is a piece, at most (bytes).
    static let pieceBytes = 1 << 10
    private let shard: Shard
    /// Whose share of the loop's time the parser takes; nil when that is not limited, or when only a request tells it.
    private let payer: IPAddress?
    private var context: ChannelHandlerContext?
    /// What the parser has not been given yet. Nothing more is read while there is any.
    private var backlog = ByteBuffer()
    private var isFeeding = false
    /// Whether there may be more after the piece that the parser was given last.
    private var isAsked = false
    /// Whether the next piece, and with it the channel's next read, waits for the share of its address.
    private(set) var isWaiting = false
    /// Whether the parser is at work, and all that comes of it is charged to its address.
    private(set) var isCharging = false

    init(shard: Shard, payer: IPAddress?) {
        self.shard = shard
        self.payer = payer
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        if backlog.readableBytes > 0 {
            // What the channel reads in one go may come in several parts.
            backlog.writeImmutableBuffer(buffer)
        } else if payer != nil || buffer.readableBytes > Self.pieceBytes {
            backlog = buffer
            feed(context)
        } else {
            context.fireChannelRead(data)
        }
    }

    func read(context: ChannelHandlerContext) {
        if backlog.readableBytes > 0 { feed(context) } else { context.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        backlog = ByteBuffer()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        guard backlog.readableBytes > 0 else { return }
        let rest = backlog
        backlog = ByteBuffer()
        context.fireChannelRead(wrapInboundOut(rest))
        // Nobody else asks again: the channel does when it has read.
        if isWaiting { context.read() }
    }

    /// Feeds the parser until a request has to wait for its answer. Answers that are made at once ask for more from within.
    private func feed(_ context: ChannelHandlerContext) {
        isAsked = true
        guard !isFeeding, !isWaiting else { return }
        isFeeding = true
        defer { isFeeding = false }
        while isAsked, backlog.readableBytes > 0 {
            if let payer, case let wait = shard.delay(of: payer, now: SystemClock.monotonic), wait > 0 {
                isWaiting = true
                return shard.queue(for: payer, after: wait) { [weak self] in self?.goOn() }
            }
            givePiece(to: context)
            // As the channel does when it has read: this comes back as `read`, unless a request waits.
            isAsked = false
            context.channel.read()
        }
    }

    private func goOn() {
        isWaiting = false
        if let context, backlog.readableBytes > 0 { feed(context) }
    }

    private func givePiece(to context: ChannelHandlerContext) {
        guard let piece = backlog.readSlice(length: min(Self.pieceBytes, backlog.readableBytes)) else { return }
        if backlog.readableBytes == 0 { backlog = ByteBuffer() }
        let start = payer == nil ? 0 : SystemClock.monotonic
        isCharging = payer != nil
        context.fireChannelRead(wrapInboundOut(piece))
        isCharging = false
        if let payer { shard.charge(payer, since: start) }
    }
}

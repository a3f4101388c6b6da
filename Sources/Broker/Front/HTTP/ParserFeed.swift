import NIOCore

/// Gives the parser what was read a small piece at a time, and the next piece only when the socket would be read from, too:
/// while a request waits for its answer, what came behind it waits as the bytes that it is.
///
/// Of six bytes the parser makes an event of 72, and the room that the pipelining handler has for those never shrinks: with
/// more at once each connection would keep a megabyte for 64 KiB that it has ever sent.
final class ParserFeed: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData

    /// So much is a piece, at most (bytes).
    static let pieceBytes = 1 << 10
    /// What the parser has not been given yet. Nothing more is read while there is any.
    private var backlog = ByteBuffer()
    private var isFeeding = false
    /// Whether there may be more after the piece that the parser was given last.
    private var isAsked = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        if backlog.readableBytes > 0 {
            // What the channel reads in one go may come in several parts.
            backlog.writeImmutableBuffer(buffer)
        } else if buffer.readableBytes > Self.pieceBytes {
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
        guard backlog.readableBytes > 0 else { return }
        let rest = backlog
        backlog = ByteBuffer()
        context.fireChannelRead(wrapInboundOut(rest))
    }

    /// Feeds the parser until a request has to wait for its answer. Answers that are made at once ask for more from within.
    private func feed(_ context: ChannelHandlerContext) {
        isAsked = true
        guard !isFeeding else { return }
        isFeeding = true
        defer { isFeeding = false }
        while isAsked, let piece = backlog.readSlice(length: min(Self.pieceBytes, backlog.readableBytes)) {
            if backlog.readableBytes == 0 { backlog = ByteBuffer() }
            context.fireChannelRead(wrapInboundOut(piece))
            // As the channel does when it has read: this comes back as `read`, unless a request waits.
            isAsked = false
            context.channel.read()
        }
    }
}

import NIOCore

/// Counts what a connection carries while it speaks HTTP, heads and all, between the socket (or TLS) and the parser.
///
/// It leaves the connection when that becomes a WebSocket or an event stream, which count for themselves.
final class ByteCounter: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = IOData

    private let shard: Shard

    init(shard: Shard) {
        self.shard = shard
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        shard.counters.requests.receivedBytes += UInt64(unwrapInboundIn(data).readableBytes)
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        shard.counters.requests.sentBytes += UInt64(unwrapOutboundIn(data).readableBytes)
        context.write(data, promise: promise)
    }
}

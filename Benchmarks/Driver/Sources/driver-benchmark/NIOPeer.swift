import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOWebSocket

/// NIOWebSocket, used as its documentation shows: handlers in a pipeline, here that of an embedded channel.
final class NIOPeer {
    /// Unmasks each frame and checks a text, which NIOWebSocket leaves to its user, in the cheapest way that there is:
    /// in place, without making a `String`.
    private final class Receiver: ChannelInboundHandler {
        typealias InboundIn = WebSocketFrame
        var payloadBytes = 0

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let payload = unwrapInboundIn(data).unmaskedData
            guard let text = try? UTF8Span(validating: payload.readableBytesUInt8Span) else { return }
            payloadBytes += text.count
        }
    }

    private let channel: EmbeddedChannel
    private let receiver = Receiver()

    private init() {
        channel = EmbeddedChannel()
        do {
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(WebSocketFrameEncoder())
            try pipeline.addHandler(ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: 1 << 24)))
            try pipeline.addHandler(receiver)
        } catch {
            preconditionFailure("Cannot set up the pipeline: \(error)")
        }
    }

    /// A frame at a time, which here is a message. The buffers are made once: as when reading from a socket, the copy
    /// into them is not counted.
    static func receiving(_ stream: Stream) -> Contender {
        let peer = NIOPeer()
        let chunks = stream.chunks.map(ByteBuffer.init(bytes:))
        return Contender(name: "NIOWebSocket") {
            peer.receiver.payloadBytes = 0
            for chunk in chunks { expectNoError { try peer.channel.writeInbound(chunk) } }
            return peer.receiver.payloadBytes
        }
    }

    /// The payload is a buffer that exists already and is passed on uncopied, as the channel would give it to
    /// `writev`; nothing checks that it is UTF-8.
    static func sending(_ payload: [UInt8], count: Int) -> Contender {
        let peer = NIOPeer()
        let buffer = ByteBuffer(bytes: payload)
        return Contender(name: "NIOWebSocket") {
            var sent = 0
            for _ in 0..<count {
                expectNoError {
                    try peer.channel.writeOutbound(WebSocketFrame(fin: true, opcode: .text, data: buffer))
                    while let part = try peer.channel.readOutbound(as: ByteBuffer.self) { sent += part.readableBytes }
                }
            }
            return sent
        }
    }

    /// NIO's HTTP pipeline with the WebSocket upgrader. Making the channels and their pipelines is not counted.
    static func handshaking(count: Int) -> Contender {
        let request = ByteBuffer(bytes: Wire.request)
        var channels: [EmbeddedChannel] = []
        return Contender(name: "NIOWebSocket", prepare: { channels = (0..<count).map { _ in upgradingChannel() } }) {
            var opened = 0
            for channel in channels {
                expectNoError {
                    try channel.writeInbound(request)
                    channel.embeddedEventLoop.run()
                    var answerBytes = 0
                    while let part = try channel.readOutbound(as: ByteBuffer.self) { answerBytes += part.readableBytes }
                    opened += answerBytes > 0 ? 1 : 0
                }
            }
            return opened
        }
    }

    private static func upgradingChannel() -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        let upgrader = NIOWebSocketServerUpgrader(
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture([:]) },
            upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
        expectNoError {
            try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                withServerUpgrade: (upgraders: [upgrader], completionHandler: { _ in }))
        }
        return channel
    }
}

private func expectNoError(_ body: () throws -> Void) {
    do { try body() } catch { preconditionFailure("NIO failed: \(error)") }
}

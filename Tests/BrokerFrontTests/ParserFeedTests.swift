import BrokerCore
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import BrokerFront

/// What the parser of a connection is given, and when.
@Suite("What the parser is given")
struct ParserFeedTests {
    /// Counts what the parser makes of it.
    private final class PartCounter: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        private(set) var count = 0

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            count += 1
            context.fireChannelRead(data)
        }
    }

    private struct Request {
        let method: HTTPMethod
        var bodyBytes = 0
        var isWhole = false
    }

    /// Takes requests, and answers them at once or when it is told to.
    private final class Application: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private(set) var requests: [Request] = []
        private let answersAtOnce: Bool
        private var context: ChannelHandlerContext?

        init(answersAtOnce: Bool) {
            self.answersAtOnce = answersAtOnce
        }

        func handlerAdded(context: ChannelHandlerContext) {
            self.context = context
        }

        func handlerRemoved(context: ChannelHandlerContext) {
            self.context = nil
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): requests.append(Request(method: head.method))
            case .body(let part): requests[requests.count - 1].bodyBytes += part.readableBytes
            case .end:
                requests[requests.count - 1].isWhole = true
                if answersAtOnce { answer() }
            }
        }

        func answer() {
            guard let context else { return }
            context.write(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .ok))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }

    /// A handler that lets nothing be read, and keeps what comes.
    private final class Holder: ChannelDuplexHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundIn = IOData
        private(set) var pieces: [ByteBuffer] = []

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            pieces.append(unwrapInboundIn(data))
        }

        func read(context: ChannelHandlerContext) {}
    }

    private static let get = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"

    private static func channel(_ parts: PartCounter, _ application: Application) throws -> EmbeddedChannel {
        let loop = EmbeddedShard()
        let channel = loop.channel
        let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes))
        try channel.pipeline.syncOperations.addHandlers([
            ParserFeed(shard: loop.shard, payer: nil), decoder, parts, HTTPServerPipelineHandler(), application,
        ])
        return channel
    }

    /// Thousands of chunks behind a request that waits for its answer.
    @Test
    func chunks() throws {
        let (parts, application) = (PartCounter(), Application(answersAtOnce: false))
        let channel = try Self.channel(parts, application)
        let count = 10_000
        let post =
            "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            + String(repeating: "1\r\na\r\n", count: count) + "0\r\n\r\n"
        try channel.writeInbound(ByteBuffer(string: Self.get + post))
        #expect(application.requests.map(\.method) == [.GET])
        #expect(parts.count <= ParserFeed.pieceBytes / 6)
        application.answer()
        #expect(application.requests.map(\.method) == [.GET, .POST])
        #expect(application.requests.last?.bodyBytes == count && application.requests.last?.isWhole == true)
        // It is over, and the next one is read.
        application.answer()
        try channel.writeInbound(ByteBuffer(string: Self.get))
        #expect(application.requests.map(\.method) == [.GET, .POST, .GET])
        let areWhole = application.requests.allSatisfy(\.isWhole)
        #expect(areWhole)
        _ = try channel.finish(acceptAlreadyClosed: true)
    }

    /// Thousands of requests: with each answer the next one comes, and no more is parsed than what a piece holds.
    @Test
    func requests() throws {
        let (parts, application) = (PartCounter(), Application(answersAtOnce: false))
        let channel = try Self.channel(parts, application)
        let count = 2_000
        try channel.writeInbound(ByteBuffer(string: String(repeating: Self.get, count: count)))
        var most = 0
        for number in 1...count {
            #expect(application.requests.count == number)
            most = max(most, parts.count - 2 * number)
            application.answer()
        }
        #expect(most <= ParserFeed.pieceBytes / 6)
        #expect(application.requests.count == count && application.requests.allSatisfy(\.isWhole))
        _ = try channel.finish(acceptAlreadyClosed: true)
    }

    @Test
    func requestsThatAreAnsweredAtOnce() throws {
        let (parts, application) = (PartCounter(), Application(answersAtOnce: true))
        let channel = try Self.channel(parts, application)
        let count = 2_000
        let bytes = ByteBuffer(string: String(repeating: Self.get, count: count))
        // In two parts, as of one read of the channel.
        try channel.writeInbound(ByteBuffer(bytes.readableBytesView.prefix(30_000)))
        try channel.writeInbound(ByteBuffer(bytes.readableBytesView.dropFirst(30_000)))
        #expect(application.requests.count == count && application.requests.allSatisfy(\.isWhole))
        _ = try channel.finish(acceptAlreadyClosed: true)
    }

    /// A connection that becomes something else: the next handler gets all that there is, in order.
    @Test
    func removal() throws {
        let loop = EmbeddedShard()
        let (channel, feed, holder) = (loop.channel, ParserFeed(shard: loop.shard, payer: nil), Holder())
        try channel.pipeline.syncOperations.addHandlers([feed, holder])
        let bytes = (0..<5_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        try channel.writeInbound(ByteBuffer(bytes: bytes.prefix(4_000)))
        try channel.writeInbound(ByteBuffer(bytes: bytes.dropFirst(4_000)))
        #expect(holder.pieces.map(\.readableBytes) == [ParserFeed.pieceBytes])
        channel.pipeline.syncOperations.removeHandler(feed, promise: nil)
        #expect(holder.pieces.flatMap { Array($0.readableBytesView) } == bytes)
        _ = try channel.finish(acceptAlreadyClosed: true)
    }

    /// What was left of an address that has had its share goes on, and the channel is read from again.
    @Test
    func removalWhileItWaits() throws {
        let loop = EmbeddedShard()
        let address = try #require(IPAddress("203.0.113.1"))
        let (channel, reads, holder) = (loop.channel, ReadCounter(), Holder())
        let feed = ParserFeed(shard: loop.shard, payer: address)
        try channel.pipeline.syncOperations.addHandlers([reads, feed, holder])
        loop.useUp(by: address)
        try channel.writeInbound(ByteBuffer(string: Self.get))
        #expect(holder.pieces.isEmpty)
        let before = reads.count
        channel.pipeline.syncOperations.removeHandler(feed, promise: nil)
        #expect(holder.pieces.map(\.readableBytes) == [Self.get.utf8.count])
        #expect(reads.count == before + 1)
        loop.close()
    }
}

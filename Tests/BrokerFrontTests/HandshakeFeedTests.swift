import BrokerCore
import NIOCore
import NIOEmbedded
import NIOTLS
import Testing

@testable import BrokerFront

/// What TLS is given before its handshake is over, and when.
@Suite("What TLS is given")
struct HandshakeFeedTests {
    /// Stands where TLS does: keeps what it is given, and says that the handshake is over when it is given the last of it.
    private final class Handshake: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private(set) var pieces: [String] = []
        private(set) var completeCount = 0

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            pieces.append(String(buffer: unwrapInboundIn(data)))
            guard pieces.last == "finished" else { return }
            context.fireUserInboundEventTriggered(TLSUserEvent.handshakeCompleted(negotiatedProtocol: nil))
        }

        func channelReadComplete(context: ChannelHandlerContext) {
            completeCount += 1
        }
    }

    /// As long as one that asks for a signature.
    private static let hello = "hello" + String(repeating: " ", count: 40)

    private let loop = EmbeddedShard()
    private let handshake = Handshake()
    private let reads = ReadCounter()
    private let address: IPAddress

    init() throws {
        address = try #require(IPAddress("203.0.113.1"))
        let feed = HandshakeFeed(shard: loop.shard, payer: address)
        let end = HandshakeFeed.End(of: feed)
        try loop.channel.pipeline.syncOperations.addHandlers([reads, feed, handshake, end])
    }

    private func isThere<Handler: ChannelHandler>(_ type: Handler.Type) -> Bool {
        (try? loop.channel.pipeline.syncOperations.handler(type: type)) != nil
    }

    /// The address gets its time, and what waits goes on.
    private func letGoOn() {
        var limits = RateLimits()
        limits.workPerAddress = nil
        loop.shard.work.set(limits)
        loop.channel.embeddedEventLoop.advanceTime(by: .seconds(2))
    }

    @Test
    func whatIsSentNextWaits() throws {
        try loop.channel.writeInbound(ByteBuffer(string: Self.hello))
        #expect(handshake.pieces == [Self.hello] && handshake.completeCount == 1)
        // That has taken its share.
        try loop.channel.writeInbound(ByteBuffer(string: "fini"))
        let (before, delayed) = (reads.count, loop.shard.counters.delayedReads)
        #expect(delayed == 1)
        loop.channel.read()
        try loop.channel.writeInbound(ByteBuffer(string: "shed"))
        #expect(handshake.pieces == [Self.hello] && handshake.completeCount == 1)
        #expect(reads.count == before)

        letGoOn()
        #expect(handshake.pieces == [Self.hello, "finished"] && handshake.completeCount == 2)
        #expect(reads.count == before + 1)
        #expect(!isThere(HandshakeFeed.self) && !isThere(HandshakeFeed.End.self))
        loop.close()
        loop.stop()
    }

    @Test
    func nothingWaitsBehindTheHandshake() throws {
        try loop.channel.writeInbound(ByteBuffer(string: "finished"))
        #expect(!isThere(HandshakeFeed.self) && !isThere(HandshakeFeed.End.self))
        loop.useUp(by: address)
        try loop.channel.writeInbound(ByteBuffer(string: "message"))
        #expect(handshake.pieces == ["finished", "message"] && handshake.completeCount == 2)
        loop.close()
        loop.stop()
    }

    /// Too short for a hello: it costs nothing.
    @Test
    func nothingIsSignedForAFewBytes() throws {
        loop.useUp(by: address)
        try loop.channel.writeInbound(ByteBuffer(string: "he"))
        #expect(handshake.pieces == ["he"])
        try loop.channel.writeInbound(ByteBuffer(substring: Self.hello.dropFirst(2)))
        #expect(handshake.pieces == ["he"])
        loop.close()
        loop.stop()
    }

    /// Or the more there are, the later all of them would be let in.
    @Test
    func whoHasASignatureGoesFirst() throws {
        try loop.channel.writeInbound(ByteBuffer(string: Self.hello))
        var turns: [Int] = []
        let handshake = handshake
        for _ in 0..<2 { loop.shard.queue(for: address, after: 1) { turns.append(handshake.pieces.count) } }
        try loop.channel.writeInbound(ByteBuffer(string: "finished"))
        letGoOn()
        #expect(turns == [2, 2])
        #expect(!isThere(HandshakeFeed.self))
        loop.close()
        loop.stop()
    }

    /// A few times: what drips stands behind others of its address.
    @Test
    func nobodyGoesFirstForEver() throws {
        try loop.channel.writeInbound(ByteBuffer(string: Self.hello))
        for turn in 0..<10 {
            // It has more time, but not enough for what comes next.
            loop.useUp(by: address)
            let handshake = handshake
            var before = -1
            loop.shard.queue(for: address, after: 1) { before = handshake.pieces.count }
            try loop.channel.writeInbound(ByteBuffer(string: "x"))
            letGoOn()
            #expect(before == (turn < 4 ? turn + 2 : turn + 1))
            loop.shard.work.set(loop.shard.configuration.limits.rates)
        }
        loop.close()
        loop.stop()
    }

    /// A connection that ends while it waits costs nobody a signature.
    @Test
    func whoeverHasGoneIsNotServed() throws {
        loop.useUp(by: address)
        try loop.channel.writeInbound(ByteBuffer(string: Self.hello))
        loop.close()
        letGoOn()
        #expect(handshake.pieces.isEmpty)
        loop.stop()
    }
}

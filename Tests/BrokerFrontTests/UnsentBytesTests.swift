import BrokerCore
import NIOCore
import NIOEmbedded
import NIOSSL
import Testing

@testable import BrokerFront

/// What waits in all connections of an event loop has a bound.
@Suite(.timeLimit(.minutes(10)))
struct UnsentBytesTests {
    /// Lets nothing through to the channel's end until it is opened, but the first bytes.
    private final class Valve: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        var isOpen = false
        /// So many are taken at once.
        var room = 0
        private var hasEnded = false

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            if hasEnded { return promise?.fail(ChannelError.outputClosed) ?? () }
            var piece = unwrapOutboundIn(data)
            let taken = min(room, piece.readableBytes)
            room -= taken
            piece.moveReaderIndex(forwardBy: taken)
            context.write(wrapOutboundOut(piece), promise: promise)
        }

        func flush(context: ChannelHandlerContext) {
            if isOpen { context.flush() }
        }

        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
            guard mode == .output else { return context.close(mode: mode, promise: promise) }
            hasEnded = true
            promise?.succeed()
        }
    }
    /// Whoever writes; when it is cut, the peer takes all that waits.
    private final class Writer: ChannelInboundHandler, OutboundDelegate {
        typealias InboundIn = ByteBuffer
        private(set) var isCut = false
        private let valve: Valve
        private var context: ChannelHandlerContext?

        init(_ valve: Valve) { self.valve = valve }

        func handlerAdded(context: ChannelHandlerContext) { self.context = context }

        func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

        func outboundDidDrain() {}

        func outboundIsCut() {
            isCut = true
            take()
        }

        func take() {
            valve.isOpen = true
            context?.flush()
        }
    }

    /// A connection whose peer takes nothing until it is told to, or is cut.
    private final class SlowPeer {
        let outbound: Outbound
        private let channel: EmbeddedChannel
        private let writer: Writer

        /// With TLS, which only stands in the pipeline here, what waits counts as a copy. The peer takes `room` bytes at once.
        init(
            on loop: EmbeddedEventLoop, _ unsent: UnsentBytes, tls: NIOSSLServerHandler? = nil, room: Int = 0
        ) throws {
            let valve = Valve()
            valve.room = room
            writer = Writer(valve)
            channel = EmbeddedChannel(handler: nil, loop: loop)
            try channel.pipeline.syncOperations.addHandlers([valve, writer])
            if let tls { try channel.pipeline.syncOperations.addHandler(tls) }
            let context = try channel.pipeline.syncOperations.context(handler: writer)
            outbound = Outbound(context: context, unsent: unsent, delegate: writer)
        }

        var isCut: Bool { writer.isCut }

        /// What it has taken since this was last asked, in the pieces that the channel was given.
        func pieces() throws -> [String] {
            var pieces: [String] = []
            while let piece = try channel.readOutbound(as: ByteBuffer.self) { pieces.append(String(buffer: piece)) }
            return pieces
        }

        /// Takes all that waits.
        func take() { writer.take() }

        func close() {
            take()
            _ = try? channel.finish(acceptAlreadyClosed: true)
        }
    }

    @Test("A piece that waits for many is one piece of memory, however much of it each of them waits for")
    func sharedPieces() throws {
        let loop = EmbeddedEventLoop()
        let unsent = UnsentBytes(limit: .max, on: loop)
        let peers = try (0..<3).map { _ in try SlowPeer(on: loop, unsent) }
        var piece = ByteBuffer(repeating: 0, count: 1000)
        let capacity = piece.storageCapacity
        peers[0].outbound.write(piece)
        piece.moveReaderIndex(forwardBy: 400)
        peers[1].outbound.write(piece)
        #expect(unsent.queuedBytes == 1600 && unsent.keptBytes == capacity)
        let other = ByteBuffer(repeating: 0, count: 10)
        peers[2].outbound.write(other)
        #expect(unsent.keptBytes == capacity + other.storageCapacity)
        peers[0].take()
        #expect(unsent.queuedBytes == 610 && unsent.keptBytes == capacity + other.storageCapacity)
        peers[1].take()
        #expect(unsent.keptBytes == other.storageCapacity)
        peers[2].take()
        #expect(unsent.queuedBytes == 0 && unsent.keptBytes == 0)
        for peer in peers { peer.close() }
    }

    @Test("Copies of it are as many pieces")
    func copies() throws {
        let loop = EmbeddedEventLoop()
        let unsent = UnsentBytes(limit: .max, on: loop)
        let peers = try (0..<3).map { _ in try SlowPeer(on: loop, unsent) }
        let piece = ByteBuffer(repeating: 0, count: 1000)
        for peer in peers { _ = unsent.add(piece, for: peer.outbound, copiedBytes: 1000) }
        #expect(unsent.queuedBytes == 3000 && unsent.keptBytes == 3000)
        for peer in peers { _ = unsent.removeFirst(of: peer.outbound) }
        #expect(unsent.queuedBytes == 0 && unsent.keptBytes == 0)
        for peer in peers { peer.close() }
    }

    @Test("Small pieces that wait are joined, behind those that came before them and before those that came later")
    func smallPieces() throws {
        let loop = EmbeddedEventLoop()
        let unsent = UnsentBytes(limit: .max, on: loop)
        let peer = try SlowPeer(on: loop, unsent)
        let large = ByteBuffer(repeating: UInt8(ascii: "-"), count: Outbound.joinedBytes + 1)
        let small = (0..<4000).map { "\($0) " }
        var expected: [String] = []
        for part in [small[..<100], small[100...]] {
            peer.outbound.write(large)
            expected.append(String(buffer: large))
            for text in part { peer.outbound.write(ByteBuffer(string: text)) }
            expected.append(part.joined())
        }
        let byteCount = expected.reduce(0) { $0 + $1.utf8.count }
        let smallBytes = small.reduce(0) { $0 + $1.utf8.count }
        #expect(peer.outbound.queuedBytes == byteCount && unsent.queuedBytes == byteCount)
        #expect(unsent.keptBytes == large.storageCapacity + smallBytes, "they are copies")
        peer.take()
        #expect(peer.outbound.queuedBytes == 0 && unsent.queuedBytes == 0 && unsent.keptBytes == 0)
        let pieces = try peer.pieces()
        #expect(pieces.joined() == expected.joined())
        #expect(pieces.map(\.utf8.count).filter { $0 > 0 } == [513, 290, 513, 16380, 2220], "joined up to 16 KiB")
        peer.close()
    }

    @Test("Small pieces are written before our side ends")
    func smallPiecesAtTheEnd() throws {
        let loop = EmbeddedEventLoop()
        let unsent = UnsentBytes(limit: .max, on: loop)
        let peer = try SlowPeer(on: loop, unsent)
        for text in ["first ", "second ", "third"] { peer.outbound.write(ByteBuffer(string: text)) }
        peer.outbound.endOutput()
        peer.take()
        #expect(try peer.pieces().joined() == "first second third")
        #expect(unsent.queuedBytes == 0 && unsent.keptBytes == 0)
        peer.close()
    }

    @Test("Of a copy of which the peer has taken the beginning only the rest is kept")
    func restOfACopy() throws {
        let loop = EmbeddedEventLoop()
        let unsent = UnsentBytes(limit: .max, on: loop)
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        let context = try NIOSSLContext(configuration: configuration)
        let peer = try SlowPeer(on: loop, unsent, tls: NIOSSLServerHandler(context: context), room: 900)
        peer.outbound.write(ByteBuffer(repeating: 0, count: 1000))
        #expect(peer.outbound.queuedBytes == 100)
        #expect(unsent.queuedBytes == 100 && unsent.keptBytes == 100)
        // What comes behind it waits as a whole.
        peer.outbound.write(ByteBuffer(repeating: 0, count: 50))
        #expect(unsent.queuedBytes == 150 && unsent.keptBytes == 150)
        peer.take()
        #expect(peer.outbound.queuedBytes == 0 && unsent.keptBytes == 0)
        peer.close()
    }

    @Test("Who keeps most alone has to go, and not those who wait for the same large piece")
    func heaviest() throws {
        let loop = EmbeddedEventLoop()
        let large = ByteBuffer(repeating: 0, count: 1 << 20)
        let own = ByteBuffer(repeating: 0, count: 100_000)
        let unsent = UnsentBytes(limit: large.storageCapacity + own.storageCapacity - 1, on: loop)
        let many = try (0..<50).map { _ in try SlowPeer(on: loop, unsent) }
        let one = try SlowPeer(on: loop, unsent)
        for peer in many { peer.outbound.write(large) }
        one.outbound.write(own)
        loop.advanceTime(by: .seconds(1))
        #expect(one.isCut)
        let cutCount = many.filter { $0.isCut }.count
        #expect(cutCount == 0)
        #expect(unsent.keptBytes == large.storageCapacity)
        for peer in many + [one] { peer.close() }
    }

    @Test("Of many who have to go only a few do before the loop looks at its connections again")
    func manyToGo() throws {
        let loop = EmbeddedEventLoop()
        let pieces = (0..<20).map { _ in ByteBuffer(repeating: 0, count: 1000) }
        let unsent = UnsentBytes(limit: 2 * pieces[0].storageCapacity, on: loop)
        let peers = try pieces.map { piece in
            let peer = try SlowPeer(on: loop, unsent)
            peer.outbound.write(piece)
            return peer
        }
        var counts: [Int] = []
        for _ in 0..<5 {
            loop.advanceTime(by: LoopTurn.pause)
            counts.append(peers.filter { $0.isCut }.count)
        }
        #expect(counts == [UnsentBytes.cutsPerTurn, 2 * UnsentBytes.cutsPerTurn, 18, 18, 18])
        for peer in peers { peer.close() }
    }

    @Test("The bound is that of all loops, and whoever goes is on one where more than its part waits")
    func severalLoops() throws {
        let loop = EmbeddedEventLoop()
        let pieces = (0..<4).map { _ in ByteBuffer(repeating: 0, count: 1 << 20) }
        let capacity = pieces[0].storageCapacity
        let small = ByteBuffer(repeating: 0, count: 1000)
        let total = UnsentTotal(limit: 4 * capacity, loopCount: 64)
        let (full, other) = (UnsentBytes(total: total, eventLoop: loop), UnsentBytes(total: total, eventLoop: loop))
        let (one, two) = (try SlowPeer(on: loop, full), try SlowPeer(on: loop, full))
        let third = try SlowPeer(on: loop, other)
        for piece in pieces.dropFirst() { one.outbound.write(piece) }
        two.outbound.write(pieces[0])
        loop.advanceTime(by: .seconds(1))
        // As much as all may have, and many times the part of their loop.
        #expect(!one.isCut && !two.isCut)
        third.outbound.write(small)
        loop.advanceTime(by: .seconds(1))
        #expect(!third.isCut, "it is little that waits on its loop")
        full.look()
        loop.advanceTime(by: .seconds(1))
        #expect(one.isCut && !two.isCut && !third.isCut)
        for peer in [one, two, third] { peer.close() }
    }

    /// Somebody who listens to a channel of their own, and reads nothing of it.
    private static func sleeper(on channel: String, at broker: TestBroker, isStream: Bool) async throws -> TestSocket {
        guard isStream else { return try await TestClient.asleep(at: broker, subscribedTo: channel).1 }
        let socket = try await broker.connect()
        let headers = [("Accept", "text/event-stream")]
        try await socket.send(TestSocket.request("GET", "/channels" + channel, headers: headers))
        _ = try await socket.read(through: "retry: ")
        try await socket.stopReading()
        return socket
    }

    /// None has more than a connection may, all together have: one is closed, and who reads misses nothing. What waits for
    /// connections that are closed does not count any more.
    @Test(arguments: [false, true])
    func sum(isStream: Bool) async throws {
        let transport = isStream ? "eventsource" : "websocket"
        let cuts = #"fanfare_connections_closed_total{transport="\#(transport)",reason="slow"}"#
        let filling = String(repeating: "x", count: 64_000)
        try await TestBroker.run {
            $0.metrics = .all
            // Of memory, of which a message of 64 KB takes up to twice as much.
            $0.limits.queuedBytesInAll = 3 << 20
            $0.congestedBytes = 1 << 20
            // They sleep for as long as the others take.
            $0.writeTimeout = .seconds(600)
        } _: { broker in
            var sleepers: [TestSocket] = []
            for number in 0..<4 {
                sleepers.append(try await Self.sleeper(on: "/sleeper/\(number)", at: broker, isStream: isStream))
            }
            let reader = try await TestClient.open(at: broker, subscribedTo: "/sleeper/*")
            let publisher = try await TestClient.open(at: broker)
            let monitor = try await broker.connect()
            var count = 0
            while try await broker.metrics(over: monitor)[cuts] == 0 {
                let channel = "/sleeper/\(count % sleepers.count)"
                count += 1
                for data in [#"["\#(filling)",\#(count)]"#, "\(count)"] {
                    try await publisher.publish(data, to: channel)
                    #expect(try await reader.delivery() == #"{"channel":"\#(channel)","data":\#(data)}"#)
                }
            }
            let numbers = try await broker.metrics(over: monitor)
            #expect(numbers[cuts] == 1)
            #expect(numbers["fanfare_send_queue_bytes"] ?? 0 > 0, "the others keep what waits for them")

            // It is theirs alone: somebody else goes on.
            try await publisher.publish("1", to: "/sleeper/last")
            #expect(try await reader.delivery() == #"{"channel":"/sleeper/last","data":1}"#)
            for sleeper in sleepers { try? await sleeper.close() }
            // The broker hears of it a moment later.
            while try await broker.metrics(over: monitor)["fanfare_send_queue_bytes"] != 0 {}
        }
    }
}

extension UnsentBytes {
    /// Of the only loop that there is.
    fileprivate convenience init(limit: Int, on eventLoop: EmbeddedEventLoop) {
        self.init(total: UnsentTotal(limit: limit, loopCount: 1), eventLoop: eventLoop)
    }
}

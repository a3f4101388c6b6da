import NIOCore
import NIOPosix

/// What a test misses.
struct Missing: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// A TCP connection to a broker, from the peer's side, without any protocol.
///
/// It lives for `patience` at most, so that whoever waits for bytes that never come learns of it; and no longer than
/// the object itself.
final class TestSocket {
    private static let patience = TimeAmount.minutes(4)

    let channel: any Channel
    private var chunks: AsyncStream<ByteBuffer>.Iterator
    private var unread: [UInt8] = []

    private init(channel: any Channel, chunks: AsyncStream<ByteBuffer>) {
        self.channel = channel
        self.chunks = chunks.makeAsyncIterator()
    }

    deinit {
        channel.close(promise: nil)
    }

    /// Connects to a port of this machine. When `reads` is false nothing is read before `startReading`.
    static func connect(to port: Int, on host: String = "127.0.0.1", reads: Bool = true) async throws -> TestSocket {
        let (chunks, continuation) = AsyncStream.makeStream(of: ByteBuffer.self)
        let bootstrap = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelOption(.autoRead, value: reads)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ByteCollector(chunks: continuation))
                }
            }
        let channel = try await bootstrap.connect(host: host, port: port).get()
        let deadline = channel.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in deadline.cancel() }
        return TestSocket(channel: channel, chunks: chunks)
    }

    /// Reads from now on.
    func startReading() async throws {
        try await channel.setOption(.autoRead, value: true).get()
    }

    /// Reads nothing any more.
    func stopReading() async throws {
        try await channel.setOption(.autoRead, value: false).get()
    }

    func send(_ bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    func send(_ text: String) async throws {
        try await send(Array(text.utf8))
    }

    /// Closes without a word.
    func close() async throws {
        try await channel.close().get()
    }

    /// Reads up to and including `mark`.
    func read(through mark: String) async throws -> String {
        let mark = Array(mark.utf8)
        while true {
            if let end = unread.firstRange(of: mark)?.upperBound { return take(end) }
            try await readMore()
        }
    }

    /// Reads so many bytes.
    func read(count: Int) async throws -> String {
        while unread.count < count { try await readMore() }
        return take(count)
    }

    /// Reads until the broker has closed the connection.
    func readToEnd() async -> [UInt8] {
        while let chunk = await chunks.next() { unread += chunk.readableBytesView }
        defer { unread = [] }
        return unread
    }

    private func readMore() async throws {
        guard let chunk = await chunks.next() else {
            throw Missing("the connection ended after: \(String(decoding: unread, as: UTF8.self))")
        }
        unread += chunk.readableBytesView
    }

    private func take(_ count: Int) -> String {
        defer { unread.removeFirst(count) }
        return String(decoding: unread.prefix(count), as: UTF8.self)
    }
}

/// Puts what arrives into a stream.
private final class ByteCollector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let chunks: AsyncStream<ByteBuffer>.Continuation

    init(chunks: AsyncStream<ByteBuffer>.Continuation) {
        self.chunks = chunks
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        chunks.yield(unwrapInboundIn(data))
    }

    func channelInactive(context: ChannelHandlerContext) {
        chunks.finish()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

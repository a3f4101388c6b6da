import NIOCore

/// The buffer that the connections of an event loop read into, one after the other.
///
/// A WebSocket is through with what was read before the next connection reads. With a buffer of its own, as channels
/// have one, each would keep as much as it ever read at once for as long as it is open.
final class ReadBuffer {
    /// So much is read at once, at most (bytes).
    static let capacity = 64 << 10
    /// The buffer; none while it is lent.
    private var buffer: ByteBuffer?

    /// Has a channel of this event loop read into the buffer. Whoever handles what it reads gives that back.
    func serve(_ channel: any Channel) throws {
        try channel.syncOptions?.setOption(.recvAllocator, value: SharedReads(buffer: self))
    }

    /// Has a channel read into a buffer of its own, for handlers that hold on to what they are given.
    func leave(_ channel: any Channel) throws {
        try channel.syncOptions?.setOption(.recvAllocator, value: Self.ofItsOwn)
    }

    /// The buffer of a channel that has one for itself; it grows to what it reads at once.
    static let ofItsOwn = AdaptiveRecvByteBufferAllocator(minimum: 64, initial: 256, maximum: 16 << 10)

    /// Takes back what was lent.
    func giveBack(_ buffer: ByteBuffer) {
        if buffer.capacity == Self.capacity { self.buffer = buffer }
    }

    /// The buffer, empty; another one if somebody holds on to it.
    func lend(_ allocator: ByteBufferAllocator) -> ByteBuffer {
        guard var lent = buffer.take(), lent.modifyIfUniquelyOwned({ $0.clear() }) != nil else {
            return allocator.buffer(capacity: Self.capacity)
        }
        return lent
    }
}

/// What a channel asks for a buffer each time it reads.
private struct SharedReads: RecvByteBufferAllocator {
    // It is asked on the event loop only; bound to it, it would take an allocation for each connection.
    nonisolated(unsafe) let buffer: ReadBuffer
    /// A channel keeps the first one that it is given.
    private var isFirst = true
    private static let firstCapacity = 16

    init(buffer: ReadBuffer) { self.buffer = buffer }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        isFirst ? allocator.buffer(capacity: Self.firstCapacity) : buffer.lend(allocator)
    }

    /// True: it is to ask again, not to take the one that it has.
    mutating func record(actualReadBytes: Int) -> Bool {
        isFirst = false
        return true
    }
}

/// Gives back what is read where another handler (TLS) makes something else of it.
final class ReadBufferReturn: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let buffer: ReadBuffer

    init(to buffer: ReadBuffer) { self.buffer = buffer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.fireChannelRead(data)
        buffer.giveBack(unwrapInboundIn(data))
    }
}

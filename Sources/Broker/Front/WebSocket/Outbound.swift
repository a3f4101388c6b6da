import NIOCore
import NIOPosix
import NIOSSL

/// Whoever writes to a connection, and is told what becomes of it.
protocol OutboundDelegate: AnyObject {
    /// Little is left after something was.
    func outboundDidDrain()
    /// Too much waits in all connections and this one keeps most of it: it is to be closed.
    func outboundIsCut()
}

/// Writes to one connection: straight to the socket while nothing waits, else through the channel, in order.
///
/// A write that goes through a channel costs several times the instructions of `send(2)`. The channel takes what the
/// socket does not, and all that follows, until it has written that; the bytes that wait there are counted. What it takes
/// for each piece that waits, time as well as memory, is as much as some hundred bytes: small ones are joined.
final class Outbound {
    private final class Waiting {
        /// Bytes that the channel was given.
        var givenBytes = 0
        /// Pieces that it has not written yet.
        var givenCount = 0
        /// Small pieces behind those.
        var tail = ByteBuffer()
        var progress = WriteProgress()
        var onDrain: (() -> Void)?

        func takeTail() -> ByteBuffer? {
            guard tail.readableBytes > 0 else { return nil }
            defer { tail = ByteBuffer() }
            return tail
        }
    }
    private let context: ChannelHandlerContext
    /// What waits here and in the other connections of the event loop.
    private let unsent: UnsentBytes
    /// Whether TLS makes a copy of what waits.
    private let isEncrypted: Bool
    /// The connection's socket; none where the transport has none, or another handler (TLS) stands in between.
    private var socket: DirectSockets.Socket? { didSet { tell() } }
    /// Where the socket is known to its event loop while nothing waits.
    private var seat: (sockets: DirectSockets, slot: UInt32)?
    /// Bytes that the channel has not written yet.
    private(set) var queuedBytes = 0
    /// What is known while there are any.
    private var waiting: Waiting?
    /// At most so long is a piece that is copied behind others, not shared.
    static let joinedBytes = 512
    /// So many bytes are joined, at most.
    private static let tailBytes = 16 << 10
    /// So little that there is room for more.
    static let drainedBytes = 64 << 10
    /// It has to let go of this object when it leaves its pipeline, for each holds the other.
    private let delegate: any OutboundDelegate
    private(set) var isCut = false
    /// Whether too much waits; over when it has drained.
    var isCongested = false

    /// Writes for a handler, directly unless TLS changes the bytes on the way to the socket.
    init(context: ChannelHandlerContext, unsent: UnsentBytes, delegate: some OutboundDelegate) {
        self.context = context
        self.delegate = delegate
        self.unsent = unsent
        isEncrypted = context.tls != nil
        if !isEncrypted {
            socket = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
                of: DirectSockets.Socket.self
            ) { $0 }
        }
    }

    /// Writes a piece; if it has to wait it is shared, not copied, unless it is small.
    func write(_ piece: ByteBuffer) {
        var piece = piece
        if queuedBytes == 0, let socket {
            let sent = piece.withUnsafeReadableBytes { DirectSockets.send($0, to: socket) }
            if sent == piece.readableBytes { return }
            piece.moveReaderIndex(forwardBy: sent)
        }
        queue(piece)
    }

    private func queue(_ piece: ByteBuffer) {
        guard piece.readableBytes > 0 else { return }
        if let waiting, piece.readableBytes <= Self.joinedBytes { return join(piece, to: waiting) }
        var rest = piece
        var copiedBytes = isEncrypted ? piece.readableBytes : nil
        if queuedBytes == 0, socket == nil {
            // Nearly always the socket takes what TLS makes of it at once: a promise for each piece would cost a tenth.
            context.writeAndFlush(NIOAny(piece), promise: nil)
            let waitingBytes = context.channel.waitingBytes
            if waitingBytes == 0 { return }
            // The socket has taken the rest of the copy.
            copiedBytes = copiedBytes.map { min($0, waitingBytes) }
            rest = ByteBuffer()
        }
        let waiting = waiting ?? Waiting()
        self.waiting = waiting
        // Counted first: the channel may write at once what it is given.
        queuedBytes += unsent.add(piece, for: self, copiedBytes: copiedBytes)
        tell()
        giveTail(of: waiting)
        give(rest, of: piece.readableBytes, waiting)
    }

    /// A small piece waits behind others.
    private func join(_ piece: ByteBuffer, to waiting: Waiting) {
        let byteCount = piece.readableBytes
        let full = waiting.tail.readableBytes + byteCount > Self.tailBytes ? waiting.takeTail() : nil
        queuedBytes +=
            waiting.tail.readableBytes == 0
            ? unsent.add(piece, for: self, copiedBytes: byteCount) : unsent.lengthenLast(of: self, by: byteCount)
        waiting.tail.writeImmutableBuffer(piece)
        if let full { give(full, of: full.readableBytes, waiting) }
    }

    private func giveTail(of waiting: Waiting) {
        if let tail = waiting.takeTail() { give(tail, of: tail.readableBytes, waiting) }
    }

    /// Has the channel write the rest of a piece of so many bytes.
    private func give(_ rest: ByteBuffer, of byteCount: Int, _ waiting: Waiting) {
        waiting.givenBytes &+= byteCount
        waiting.givenCount += 1
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in self.dequeue(waiting) }
        context.writeAndFlush(NIOAny(rest), promise: written)
    }

    /// The channel has written a piece, or never will; they leave in their order.
    private func dequeue(_ waiting: Waiting) {
        queuedBytes -= unsent.removeFirst(of: self)
        waiting.givenCount -= 1
        if waiting.givenCount == 0 { giveTail(of: waiting) }
        let onDrain = queuedBytes <= Self.drainedBytes ? waiting.onDrain.take() : nil
        if queuedBytes == 0 {
            self.waiting = nil
            tell()
        }
        guard queuedBytes <= Self.drainedBytes else { return }
        isCongested = false
        delegate.outboundDidDrain()
        onDrain?()
    }

    /// Has the connection closed: too much waits in all, and this one keeps most of it.
    func cut() {
        isCut = true
        delegate.outboundIsCut()
    }

    /// Whether the peer has taken nothing for `limit` (ns), though something waits for it. To be asked now and then.
    func isStuck(now: UInt64, limit: UInt64) -> Bool {
        guard let waiting else { return false }
        return waiting.progress.isStuck(
            waitingBytes: context.channel.waitingBytes, givenBytes: waiting.givenBytes, now: now, limit: limit)
    }

    /// From now on the event loop may send to the socket of this slot whenever nothing waits.
    func take(slot: UInt32, of sockets: DirectSockets) {
        seat = (sockets, slot)
        tell()
    }

    /// The slot will be somebody else's.
    func leaveSlot() {
        if let seat { seat.sockets.set(nil, at: seat.slot) }
        seat = nil
    }

    private func tell() {
        guard let seat else { return }
        seat.sockets.set(queuedBytes == 0 ? socket : nil, at: seat.slot)
    }

    /// Calls `body` once little is left that the channel has not written, in a turn of its own; of several the last one.
    func whenDrained(_ body: @escaping () -> Void) {
        if let waiting, queuedBytes > Self.drainedBytes { return waiting.onDrain = body }
        context.eventLoop.assumeIsolated().execute(body)
    }

    /// Has the channel keep all that waits, as before it closes: TLS writes what it has been given by then.
    func handOver() {
        if let waiting { giveTail(of: waiting) }
    }

    /// Ends our side of the connection once everything is written; done when the system knows.
    ///
    /// The peer's side stays open until the peer ends it: a connection that is closed with unread bytes in it is reset,
    /// and the peer may lose what was written last (RFC 9112 §9.6).
    @discardableResult
    func endOutput() -> EventLoopFuture<Void> {
        forgetSocket()
        guard waiting != nil else { return context.close(mode: .output) }
        handOver()
        let ended = context.eventLoop.makePromise(of: Void.self)
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        self.context.writeAndFlush(NIOAny(ByteBuffer())).whenComplete { _ in
            context.value.close(mode: .output, promise: ended)
        }
        return ended.futureResult
    }

    /// The channel is closing: its descriptor may soon belong to another connection.
    func forgetSocket() {
        socket = nil
    }
}

extension ChannelHandlerContext {
    /// Where TLS is in the pipeline, if it is.
    fileprivate var tls: ChannelHandlerContext? {
        try? pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self)
    }

    /// Closes the connection of a peer that does not take what waits for it. TLS has no last word: that would wait behind all
    /// the rest, which would be kept meanwhile.
    func abort() {
        (tls ?? self).close(promise: nil)
    }
}

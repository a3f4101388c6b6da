import BrokerCore
import Logging
import NIOCore
import NIOHTTP1

/// One event stream (WHATWG HTML §9.2): opened or refused by the router, then written to until either side ends it.
final class EventStream {
    /// How long a client waits before it comes back after the connection was lost (ms).
    private static let retryMilliseconds = 5000
    private static let leastRetryMilliseconds = 1000

    private weak var handler: HTTPHandler?
    private let shard: Shard
    /// Whether the client asks what it would get (RFC 9110 §9.3.2).
    private let isHeadOnly: Bool
    private(set) var outbound: Outbound?
    private var lastWritten: UInt64 = 0

    init(handler: HTTPHandler, shard: Shard, isHeadOnly: Bool = false) {
        self.handler = handler
        self.shard = shard
        self.isHeadOnly = isHeadOnly
    }

    /// The stream begins: the connection carries nothing else from now on.
    func open() {
        guard let handler, let outbound = handler.begin(self, Self.headers) else { return }
        self.outbound = outbound
        if isHeadOnly { return close() }
        write(ByteBuffer(string: "retry: \(Self.retryMilliseconds)\r\n\r\n"))
        // It was asked for before everybody was sent away.
        if shard.isShuttingDown { handler.goAway() }
    }

    /// There is nothing to stream.
    func refuse(_ error: BayeuxError) {
        // 404 is for ever: a client must not come back to a session that is gone.
        handler?.finishExchange(
            .problem(error.isUnknownClient ? .notFound : error.status, error.wire, retryAfter: error.retryAfter))
    }

    /// Writes whole events.
    func write(_ piece: ByteBuffer) {
        guard let outbound else { return }
        lastWritten = SystemClock.monotonic
        outbound.write(piece)
        if outbound.queuedBytes > shard.configuration.outboundBytes {
            handler?.closeReason = .slow
            shard.logger.notice(
                "closing an event stream that is not read", metadata: ["queuedBytes": "\(outbound.queuedBytes)"])
            close()
        }
    }

    /// Writes a comment when nothing was written for long, so that nothing on the way takes the connection for dead.
    func keepAlive(now: UInt64) {
        if outbound?.isStuck(now: now, limit: shard.configuration.writeTimeout.nanosecondsClamped) == true {
            handler?.cut()
            return
        }
        guard outbound != nil, now >= lastWritten,
            now - lastWritten >= shard.configuration.streamPingInterval.nanosecondsClamped
        else { return }
        write(ByteBuffer(string: ":\r\n\r\n"))
    }

    /// The broker stops: the client is told to come back at a moment of its own, not at once with all others, and not so
    /// soon that it asks again and again while nobody listens. The next stream tells it what is usual.
    func goAway() {
        let spread = max(shard.configuration.limits.drainSpread.milliseconds, 0)
        let wait = Self.leastRetryMilliseconds + Int.random(in: 0...spread)
        write(ByteBuffer(string: "retry: \(wait)\r\n\r\n"))
        close()
    }

    /// Ends the stream behind what was written.
    func close() {
        guard let outbound else { return }
        self.outbound = nil
        handler?.end(outbound)
    }

    /// The connection is gone: its descriptor may soon belong to another one.
    func forgetConnection() {
        outbound?.forgetSocket()
        outbound = nil
    }

    /// A stream ends with its connection: its length is not known, and no proxy is to hold it back.
    private static var headers: HTTPHeaders {
        [
            "Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-store",
            "X-Content-Type-Options": "nosniff", "X-Accel-Buffering": "no", "Connection": "close",
        ]
    }
}

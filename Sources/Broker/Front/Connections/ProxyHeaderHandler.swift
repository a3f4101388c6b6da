import BrokerCore
import Logging
import NIOCore

/// Reads the PROXY header that a connection begins with, and hands the connection on with what it says.
///
/// Whatever does not send one, or may not, is told so in HTTP, where there is no TLS, and closed: who may not, at once, for
/// it counts for no address. It has a deadline of its own: that of the handshake begins behind it.
final class ProxyHeaderHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let setup: ConnectionSetup
    private let shard: Shard
    private var origin: ConnectionOrigin
    private let deadline: UInt64
    var watchPlace: UInt32?
    private var context: ChannelHandlerContext?
    private var received = ByteBuffer()
    private var isOver = false

    init(setup: ConnectionSetup, shard: Shard, origin: ConnectionOrigin) {
        self.setup = setup
        self.shard = shard
        self.origin = origin
        deadline = SystemClock.now.adding(setup.services.configuration.proxyHeaderTimeout)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        shard.guardDeadlines(of: self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        shard.dismiss(self)
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        if !origin.isTrusted { refuse(403, "This listener is for proxies: see trusted-proxies") }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        received.writeImmutableBuffer(unwrapInboundIn(data))
        let maximum = setup.services.configuration.proxyHeaderBytes
        switch ProxyHeader.read(received.readableBytesSpan, maximumBytes: maximum) {
        case .incomplete: break
        case .malformed(let reason): refuse(400, "This listener takes the PROXY protocol, and \(reason)")
        case .complete(let source, let byteCount):
            received.moveReaderIndex(forwardBy: byteCount)
            if case .client(let address) = source {
                origin.address = address
                // Another proxy may be in front of that one.
                origin.isTrusted = setup.services.gate.trust.trusts(address)
                origin.isProxied = true
            }
            handOn(context)
        }
    }

    private func handOn(_ context: ChannelHandlerContext) {
        isOver = true
        do {
            try setup.admit(context.channel, origin)
        } catch {
            return context.close(promise: nil)
        }
        if received.readableBytes > 0 {
            context.fireChannelRead(wrapInboundOut(received))
            context.fireChannelReadComplete()
        }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    private func refuse(_ status: Int, _ reason: String) {
        guard let context else { return }
        isOver = true
        setup.services.gate.noteRefusedHead()
        shard.logger.notice(
            "refused a connection",
            metadata: ["peer": "\(origin.address.map(\.description) ?? "unix")", "because": "\(reason)"])
        guard setup.listener.tls == nil else { return context.close(promise: nil) }
        let phrase = status == 403 ? "Forbidden" : status == 408 ? "Request Timeout" : "Bad Request"
        let answer = """
            HTTP/1.1 \(status) \(phrase)\r\nContent-Type: text/plain\r\nContent-Length: \(reason.utf8.count + 1)\r\n\
            Connection: close\r\n\r\n\(reason)\n
            """
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer))).whenComplete { _ in
            bound.value.close(promise: nil)
        }
    }
}

extension ProxyHeaderHandler: GuardedConnection {
    func keepDeadlines(now: UInt64) {
        guard now >= deadline, !isOver else { return }
        refuse(408, "This listener takes the PROXY protocol, and no header has come in time")
    }

    func goAway() {
        context?.close(promise: nil)
    }
}

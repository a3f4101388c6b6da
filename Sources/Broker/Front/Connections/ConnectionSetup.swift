import BrokerCore
import Logging
import NIOCore
import NIOSSL

/// What happens to a connection that a listener has accepted, until its first handler has it.
///
/// It is counted; where a listener takes the PROXY protocol its head is read; then it is let in, refused with its first
/// request, or closed.
struct ConnectionSetup: Sendable {
    let shards: ShardDirectory
    let services: HTTPServices
    let presence: Presence
    let credentials: TLSCredentials
    let logger: Logger

    /// Where the connections come in.
    var listener: ListenerOptions { services.listener }
    private var gate: Gatekeeper { services.gate }

    /// Sets up a connection, on its event loop.
    func prepare(_ channel: any Channel) -> EventLoopFuture<Void> {
        let verdict = presence.begin()
        guard verdict != .closed else {
            logger.notice("refused a connection", metadata: ["limit": "\(gate.counter.limit)"])
            return channel.eventLoop.makeFailedFuture(TooManyConnections())
        }
        channel.closeFuture.whenComplete { [presence] _ in presence.end() }
        let address = channel.remoteAddress?.address
        var origin = ConnectionOrigin(address: address, isTrusted: listener.isTrusted || gate.trust.trusts(address))
        if verdict == .refused { origin.refusal = .full }
        let known = origin
        return channel.eventLoop.makeCompletedFuture {
            if listener.takesProxyHeader {
                let handler = ProxyHeaderHandler(setup: self, shard: shards.shard(of: channel.eventLoop), origin: known)
                try channel.pipeline.syncOperations.addHandler(handler)
            } else {
                try admit(channel, known)
            }
        }
    }

    /// Lets a connection in whose origin is known, or has its first request refused; throws for one that is to be closed.
    func admit(_ channel: any Channel, _ origin: ConnectionOrigin) throws {
        let shard = shards.shard(of: channel.eventLoop)
        var origin = origin
        let payer = gate.limited(origin)
        if let address = payer {
            let verdict = gate.enter(address)
            if case .closed = verdict { throw TooManyConnections() }
            channel.closeFuture.whenComplete { [gate] _ in gate.leave(address) }
            if case .refused(let refusal, let seconds) = verdict, origin.refusal == nil {
                origin.refusal = ConnectionRefusal(refusal, retryAfter: seconds)
            }
        }
        if let handler = credentials.makeHandler(for: listener) {
            // A handshake would cost more than the answer is worth.
            if origin.refusal != nil { throw TooManyConnections() }
            try secure(channel, with: handler, payer: payer, shard: shard)
        }
        try shard.readBuffer.serve(channel)
        let handler = WebSocketHandler(shard: shard, services: services, origin: origin)
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    /// Puts TLS in front of a connection. Its handshake takes from the share of an address, if that is limited.
    private func secure(
        _ channel: any Channel, with handler: NIOSSLServerHandler, payer: IPAddress?, shard: Shard
    ) throws {
        let feed = payer.map { HandshakeFeed(shard: shard, payer: $0) }
        let handlers: [(any ChannelHandler)?] = [
            ReadBufferReturn(to: shard.readBuffer), feed, handler, feed.map { HandshakeFeed.End(of: $0) },
        ]
        try channel.pipeline.syncOperations.addHandlers(handlers.compactMap(\.self))
    }
}

/// A connection beyond a limit.
struct TooManyConnections: Error {}

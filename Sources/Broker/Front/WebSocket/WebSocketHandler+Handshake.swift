import BrokerCore
import Driver
import NIOCore

/// From the first bytes to the open WebSocket, or to the HTTP handlers.
extension WebSocketHandler {
    /// The handshake, one step at a time: what came in one piece with it is read when it is answered.
    func begin(with buffer: ByteBuffer) {
        var buffer = buffer
        while buffer.readableBytes > 0, driver.state == .connecting {
            var events = DriverEvents(handler: self)
            buffer.readWithUnsafeReadableBytes { driver.receiveNext($0.bytes, into: &events) }
            if let request = events.request { decide(on: request, &events) }
            if events.isOpened { opened() }
            if events.isHTTP {
                driver.receive(buffer.readableBytesSpan, into: &events)
                return handOver()
            }
            act(on: events)
        }
        if driver.state != .connecting { countHandshake() }
        if buffer.readableBytes > 0 { take(buffer) }
    }

    /// What came before it was known that this is no HTTP.
    func countHandshake() {
        shard.counters.sockets.receivedBytes += UInt64(handshakeBytes)
        handshakeBytes = 0
    }

    /// Accepts a handshake at the endpoint from an origin that is let in, else refuses it.
    func decide(on request: RequestHead, _ events: inout DriverEvents) {
        let target = RequestTarget(request.target)
        let client = services.gate.client(of: self.origin, request.headers.all)
        address = client.address.map { AddressClass($0) } ?? AddressClass(of: context?.channel.remoteAddress)
        if let refusal = self.origin.refusal ?? refusal(ofProxied: client) {
            driver.setHeader("Retry-After", "\(refusal.retryAfter)")
            return driver.refuse(status: refusal.status, reason: refusal.text, into: &events)
        }
        let origin = request.headers.first("Origin") ?? request.headers.first("Sec-WebSocket-Origin")
        if !target.isBelow(shard.configuration.endpoint) {
            shard.counters.rejectedHandshakes += 1
            driver.refuse(status: 404, reason: "No WebSocket endpoint at \(target.path)", into: &events)
        } else if let refusal = services.refusal(ofHosts: request.headers.all("Host")) {
            shard.counters.rejectedHandshakes += 1
            driver.refuse(status: refusal.status, reason: refusal.text, into: &events)
        } else if !services.names.origins.allows(origin: origin, host: request.headers.first("Host")) {
            shard.counters.rejectedOrigins += 1
            driver.refuse(
                status: 403, reason: "Origin \(origin ?? "") is not allowed: see --allow-origin", into: &events)
        } else {
            caller = services.access.caller(ofSocket: request, target, at: services.gate.limited(client))
            if let refusal = caller?.refusal {
                shard.counters.rejectedCredentials += 1
                return driver.refuse(status: 401, reason: refusal.text, into: &events)
            }
            _ = driver.start(into: &events)
        }
    }

    /// Counts a WebSocket that a trusted proxy has brought as its client's connection; why that may have no more.
    private func refusal(ofProxied client: ClientAddress) -> ConnectionRefusal? {
        guard origin.isTrusted, let address = services.gate.limited(client) else { return nil }
        return claim.take(address, isConnection: true, at: services.gate)
    }

    /// The handshake is over, and with it the form of what goes out is known.
    func opened() {
        shard.counters.sockets.begin()
        let form = driver.wireForm ?? .hybi
        isDeflated = form != .hybi && form != .hixie
        slot = shard.add(self, form: .webSocket(form))
    }

    /// Gives the connection and all of its bytes to the HTTP handlers.
    private func handOver() {
        guard let context else { return }
        let bytes = ByteBuffer(bytes: driver.takeReceivedBytes())
        handshakeBytes = 0
        do {
            try shard.readBuffer.leave(context.channel)
            try HTTPHandler.install(in: context.pipeline, shard: shard, services: services, origin: origin)
            context.fireChannelRead(wrapInboundOut(bytes))
            context.fireChannelReadComplete()
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        } catch {
            context.fireErrorCaught(error)
            context.close(promise: nil)
        }
    }
}

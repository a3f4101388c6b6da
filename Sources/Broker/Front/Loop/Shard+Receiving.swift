import BrokerCore

/// From the connections to the router.
extension Shard {
    /// A Bayeux batch arrived over a WebSocket: valid UTF-8.
    func receive(
        text: RawSpan, fromSocketIn slot: UInt32, at address: AddressClass, caller: Caller?
    ) throws(EnvelopeError) {
        batch.removeAll(keepingCapacity: true)
        _ = try scanner.scan(text, into: &batch)
        try review(text, from: Peer(connection: id(slot), kind: .socket, address: address), caller: caller)
    }

    /// A Bayeux batch arrived as the body of a request.
    func receive(
        body: RawSpan, forExchangeIn slot: UInt32, at address: AddressClass, caller: Caller?
    ) throws(EnvelopeError) {
        batch.removeAll(keepingCapacity: true)
        _ = try scanner.scan(validatingUTF8: body, into: &batch)
        try review(body, from: Peer(connection: id(slot), kind: .exchange, address: address), caller: caller)
    }

    /// Shows the batch to the incoming hook, if there is one; what it makes of it is read like what a client sends.
    private func review(_ text: RawSpan, from peer: Peer, caller: Caller?) throws(EnvelopeError) {
        let transport = peer.kind == .socket ? "websocket" : BrokerHooks.http
        guard let changed = hooks.review(batch, text: text, transport: transport) else {
            return forward(text: text, from: peer, caller: caller)
        }
        batch.removeAll(keepingCapacity: true)
        _ = try scanner.scan(validatingUTF8: changed.span.bytes, into: &batch)
        forward(text: changed.span.bytes, from: peer, caller: caller)
    }

    private func forward(text: RawSpan, from peer: Peer, caller: Caller?) {
        var caller = caller
        if access.takesTokens {
            // Whoever came before there were rules can bring a token as well.
            var sender = caller ?? Caller(isBrowser: true)
            access.addTokens(of: batch, text: text, to: &sender)
            caller = sender
        }
        switch router {
        case .local(let router): router.receive(batch, text: text, from: peer, caller: caller)
        case .remote(let mailbox, let load):
            post(.batch(batch, text: text.withUnsafeBytes { Array($0) }, peer, caller), to: mailbox)
            if load.add(text.byteCount) { throttle(peer.connection.slot) }
        case nil: break
        }
    }

    /// Holds a WebSocket back that has more to send while the router has not taken in what this loop has sent; whether it
    /// does.
    func throttles(_ slot: UInt32) -> Bool {
        if throttled.isEmpty { return false }
        throttle(slot)
        return true
    }

    private func throttle(_ slot: UInt32) {
        guard case .socket(let socket) = slots[slot] else { return }
        socket.pause(.loop)
        throttled.append(slot)
    }

    /// The router has taken in what this loop has sent.
    func readOn() {
        let held = throttled
        throttled.removeAll()
        for slot in held {
            if case .socket(let socket) = slots[slot] { socket.resume(.loop) }
        }
    }

    /// Too much waits for a connection: the router is told, now and when it has gone down.
    func congest(_ slot: UInt32) {
        switch router {
        case .local(let router): router.congest(id(slot))
        case .remote(let mailbox, _): mailbox.send([.congested(id(slot))])
        case nil: break
        }
        awaitDrain(of: slot)
    }

    /// Says so to the router when a connection has little left to write.
    func awaitDrain(of slot: UInt32) {
        slots[slot].outbound?.whenDrained { [self] in
            switch router {
            case .local(let router): router.drained(id(slot))
            case .remote(let mailbox, _): mailbox.send([.drained(id(slot))])
            case nil: break
            }
        }
    }

    /// The one value that `body` consists of, if it is valid JSON and can be the `data` of a message.
    func value(in body: RawSpan) throws(EnvelopeError) -> JSONSlice {
        try scanner.scanValue(validatingUTF8: body, openBrackets: 2)
    }
}

package import BrokerCore

/// The messages that clients send, so that a test names only what it is about.
extension RouterHarness {
    /// Shakes hands; the session's client id.
    package func handshake(_ peer: Peer) -> String {
        let message: JSON = [
            "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket", "long-polling"],
        ]
        for case .reply(let reply) in send([message], from: peer) {
            if let clientID = reply["clientId"]?.text { return clientID }
        }
        preconditionFailure("Cannot go on when the handshake was refused")
    }

    /// A new WebSocket with a session that has made its first connect.
    package func open(loop: Int = 0) -> (peer: Peer, clientID: String) {
        let peer = socket(loop: loop)
        let clientID = handshake(peer)
        connect(clientID, from: peer)
        return (peer, clientID)
    }

    /// A new session over HTTP that has made its first connect.
    package func openPolling() -> String {
        let clientID = handshake(exchange())
        connect(clientID, from: exchange())
        return clientID
    }

    /// Sends a connect, alone in its batch.
    @discardableResult
    package func connect(_ clientID: String, from peer: Peer, timeout: JSON? = nil, endingTurn: Bool = true) -> [Event]
    {
        send([Self.connect(clientID, over: peer.kind, timeout: timeout)], from: peer, endingTurn: endingTurn)
    }

    /// A connect as a message.
    package static func connect(_ clientID: String, over kind: Peer.Kind, timeout: JSON? = nil) -> JSON {
        var members: [String: JSON] = [
            "channel": "/meta/connect", "clientId": .string(clientID),
            "connectionType": kind == .socket ? "websocket" : "long-polling",
        ]
        if let timeout { members["advice"] = ["timeout": timeout] }
        return .object(members)
    }

    /// Sends a subscribe.
    @discardableResult
    package func subscribe(_ clientID: String, to subscription: JSON, from peer: Peer) -> [Event] {
        send(
            [["channel": "/meta/subscribe", "clientId": .string(clientID), "subscription": subscription]], from: peer)
    }

    /// Sends an unsubscribe.
    @discardableResult
    package func unsubscribe(_ clientID: String, from subscription: JSON, over peer: Peer) -> [Event] {
        send(
            [["channel": "/meta/unsubscribe", "clientId": .string(clientID), "subscription": subscription]], from: peer)
    }

    /// Sends a disconnect.
    @discardableResult
    package func disconnect(_ clientID: String, from peer: Peer) -> [Event] {
        send([["channel": "/meta/disconnect", "clientId": .string(clientID)]], from: peer)
    }

    /// Sends a publication.
    @discardableResult
    package func publish(_ data: JSON, to channel: String, from peer: Peer, ext: JSON? = nil) -> [Event] {
        var members: [String: JSON] = ["channel": .string(channel), "data": data]
        members["ext"] = ext
        return send([.object(members)], from: peer)
    }
}

/// What clients get, so that an expectation reads like a list of events.
extension RouterHarness.Event {
    /// The reply to a connect that succeeded.
    package static func connected(_ clientID: String) -> Self {
        .reply([
            "channel": "/meta/connect", "clientId": .string(clientID), "successful": true,
            "advice": ["reconnect": "retry", "interval": 0, "timeout": 60_000],
        ])
    }

    /// The reply to a subscribe that succeeded.
    package static func subscribed(_ clientID: String, to subscription: JSON) -> Self {
        .reply([
            "channel": "/meta/subscribe", "clientId": .string(clientID), "subscription": subscription,
            "successful": true,
        ])
    }

    /// The reply to a publication that was taken.
    package static func acknowledged(_ channel: String) -> Self {
        .reply(["channel": .string(channel), "successful": true])
    }

    /// A publication that the store does not keep, as it is delivered.
    package static func message(_ data: JSON, on channel: String) -> Self {
        .push(["channel": .string(channel), "data": data])
    }

    /// A stored publication, as it is delivered.
    package static func message(_ data: JSON, on channel: String, sequence: Int, retained: Bool = false) -> Self {
        var ext: [String: JSON] = ["seq": .number(Double(sequence)), "epoch": "log"]
        if retained { ext["retained"] = true }
        return .push(["channel": .string(channel), "data": data, "ext": .object(ext)])
    }
}

extension [RouterHarness.Event] {
    /// The sequence numbers of what was sent, below zero the end of a gap.
    package var sequences: [Int] {
        compactMap { event in
            guard case .push(let message) = event else { return nil }
            if case .number(let sequence)? = message["ext"]?["seq"] { return Int(sequence) }
            if case .number(let last)? = message["ext"]?["gap"]?["to"] { return -Int(last) }
            return nil
        }
    }
}

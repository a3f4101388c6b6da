/// The server's answer to a handshake of draft-hixie-75 or -76.
struct HixieHandshake {
    let version: WebSocketVersion
    let subprotocol: String?
    /// What the client must be answered behind the head; `nil` in 75.
    let challenge: HixieChallenge?
    private let origin: String?
    private let location: String?

    /// Judges a request of one of the two versions.
    init(
        _ request: RequestHead, version: WebSocketVersion, options: DriverOptions
    ) throws(ProtocolViolation) {
        let headers = request.headers
        self.version = version
        challenge = version == .hixie76 ? try HixieChallenge(headers) : nil
        origin = headers.first("Origin")
        location = headers.first("Host").map { host in
            (Self.isSecure(headers, options) ? "wss://" : "ws://") + host + request.target
        }
        // Both go into the answer. An owner's HTTP stack may let more pass than ours does.
        guard Self.isPlain(origin ?? ""), Self.isPlain(location ?? "") else { throw .invalidHixieRequest }
        let name = version == .hixie76 ? "Sec-WebSocket-Protocol" : "WebSocket-Protocol"
        subprotocol = ServerHandshake.choose(from: options.subprotocols, for: headers.list(name))
    }

    /// The head of the 101 response. The first three lines are as the drafts have them, to the byte: there are
    /// clients that compare them so. Without `Origin` or `Host` in the request, what repeats it is left out.
    func response(_ headers: HandshakeHeaders) -> String {
        let (name, prefix) = version == .hixie76 ? ("WebSocket", "Sec-") : ("Web Socket", "")
        var text = "HTTP/1.1 101 \(name) Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        if let origin { text += "\(prefix)WebSocket-Origin: \(origin)\r\n" }
        if let location { text += "\(prefix)WebSocket-Location: \(location)\r\n" }
        if let subprotocol { text += "\(prefix)WebSocket-Protocol: \(subprotocol)\r\n" }
        return text + headers.lines + "\r\n"
    }

    /// Whether the client used `wss:`. What a proxy says is believed: the answer only goes back to who said it.
    private static func isSecure(_ headers: HeaderFields, _ options: DriverOptions) -> Bool {
        func says(_ name: String, _ value: String) -> Bool {
            headers.first(name).map { ASCII.equal($0, value) } ?? false
        }
        return options.isSecure || says("HTTPS", "on") || says("X-Forwarded-SSL", "on")
            || says("X-Forwarded-Scheme", "https") || says("X-Forwarded-Proto", "https")
    }

    private static func isPlain(_ text: String) -> Bool { text.utf8.allSatisfy { 0x20...0x7E ~= $0 } }
}

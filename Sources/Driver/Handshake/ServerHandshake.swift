/// The server's answer to a handshake: what is accepted, and how both answers look on the wire.
struct ServerHandshake {
    let version: WebSocketVersion
    let acceptKey: String
    /// The extensions that the client offers.
    let extensionOffers: [ExtensionOffer]
    let subprotocol: String?

    /// Judges a request (RFC 6455 §4.2.1) of a hybi version; the drafts 07 and 08 ask for the same.
    init(
        _ request: RequestHead, version: WebSocketVersion, subprotocols: [String]
    ) throws(ProtocolViolation) {
        self.version = version
        guard let key = request.headers.combined("Sec-WebSocket-Key") else {
            throw .missingHeader("Sec-WebSocket-Key")
        }
        guard AcceptKey.isValid(key) else { throw .invalidHeader("Sec-WebSocket-Key") }
        do throws(ExtensionHeader.Malformed) {
            extensionOffers = try ExtensionHeader.offers(in: request.headers)
        } catch {
            throw .refusal(400, error.description)
        }
        acceptKey = AcceptKey.accept(for: key)
        subprotocol = Self.choose(from: subprotocols, for: request.headers.list("Sec-WebSocket-Protocol"))
    }

    /// The first subprotocol of the client's list, whose order is its preference, that is served.
    static func choose(from served: [String], for offered: [Substring]) -> String? {
        offered.map(String.init).first { ASCII.isToken($0) && served.contains($0) }
    }

    /// The 101 response.
    func response(_ headers: HandshakeHeaders, extensions: String? = nil) -> String {
        var text = "HTTP/1.1 101 Switching Protocols\r\n" + headers.lines
        text += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: \(acceptKey)\r\n"
        if let subprotocol { text += "Sec-WebSocket-Protocol: \(subprotocol)\r\n" }
        if let extensions { text += "\(ExtensionHeader.name): \(extensions)\r\n" }
        return text + "\r\n"
    }

    /// A response that refuses the handshake, after which the connection is closed.
    static func refusal(
        status: Int, reason: String, headers: HandshakeHeaders, versions: Set<WebSocketVersion>
    ) -> String {
        var text = "HTTP/1.1 \(status) \(phrase(status))\r\n" + headers.lines
        text += "Content-Type: text/plain\r\nContent-Length: \(reason.utf8.count)\r\n"
        if status == 405 { text += "Allow: GET\r\n" }
        // "…an |Sec-WebSocket-Version| header field indicating the version(s) the server is capable of" (§4.2.2),
        // and RFC 9110 §15.5.22 wants `Upgrade` with 426.
        if status == 426 {
            text += "Upgrade: websocket\r\n"
            if let numbers = versions.numbers { text += "Sec-WebSocket-Version: \(numbers)\r\n" }
        }
        text += status == 426 ? "Connection: close, Upgrade\r\n" : "Connection: close\r\n"
        return text + "\r\n" + reason
    }

    private static func phrase(_ status: Int) -> String {
        switch status {
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 421: "Misdirected Request"
        case 426: "Upgrade Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 505: "HTTP Version Not Supported"
        case 300..<400: "Redirect"
        case 400..<500: "Refused"
        default: "Server Error"
        }
    }
}

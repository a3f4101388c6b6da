/// A client's opening handshake (RFC 6455 §4.1): the request, and the check of what comes back.
struct ClientHandshake {
    let url: WebSocketURL
    let key: String
    let subprotocols: [String]

    func request(_ headers: HandshakeHeaders, extensions: String?) -> String {
        var text = "GET \(url.target) HTTP/1.1\r\nHost: \(url.authority)\r\n"
        text +=
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: \(key)\r\nSec-WebSocket-Version: 13\r\n"
        if !subprotocols.isEmpty {
            text += "Sec-WebSocket-Protocol: \(subprotocols.joined(separator: ", "))\r\n"
        }
        if let credentials = url.basicCredentials, headers.fields.first("Authorization") == nil {
            text += "Authorization: Basic \(credentials)\r\n"
        }
        text += headers.lines
        if let extensions { text += "\(ExtensionHeader.name): \(extensions)\r\n" }
        return text + "\r\n"
    }

    /// The subprotocol that the server chose, if any.
    func check(_ response: ResponseHead) throws(ProtocolViolation) -> String? {
        guard response.status == 101 else { throw .response("Unexpected response code: \(response.status)") }
        let headers = response.headers
        guard let upgrade = headers.combined("Upgrade") else { throw .response("'Upgrade' header is missing") }
        guard ASCII.equal(upgrade, "websocket") else { throw .response("'Upgrade' header value is not 'WebSocket'") }
        guard headers.first("Connection") != nil else { throw .response("'Connection' header is missing") }
        guard headers.hasToken("Connection", "upgrade") else {
            throw .response("'Connection' header value is not 'Upgrade'")
        }
        guard headers.combined("Sec-WebSocket-Accept") == AcceptKey.accept(for: key) else {
            throw .response("Sec-WebSocket-Accept mismatch")
        }
        let subprotocol = headers.combined("Sec-WebSocket-Protocol")
        if let subprotocol, !subprotocols.contains(subprotocol) {
            throw .response("Sec-WebSocket-Protocol mismatch")
        }
        return subprotocol
    }
}

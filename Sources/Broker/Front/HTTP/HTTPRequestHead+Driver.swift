import Driver
import NIOHTTP1

extension HTTPRequestHead {
    /// Whether the parser takes nothing behind this request for HTTP (RFC 9110 §7.8, §9.3.6).
    var asksForAnotherProtocol: Bool { method == .CONNECT || headers.contains(name: "Upgrade") }

    /// Whether the parser sees, as the driver does, that a WebSocket handshake asks for another protocol: to the parser a tab
    /// behind a token of `Connection` belongs to it, where RFC 9110 §5.6.1 has blanks of both kinds.
    var isLastForParser: Bool { !headers["Connection"].contains { $0.utf8.contains(UInt8(ascii: "\t")) } }
}

extension RequestHead {
    /// The head as NIO has parsed it.
    init(_ head: HTTPRequestHead) {
        self.init(
            method: head.method.rawValue, target: head.uri, version: "\(head.version)",
            headers: HeaderFields(head.headers.map { ($0.name, $0.value) }))
    }
}

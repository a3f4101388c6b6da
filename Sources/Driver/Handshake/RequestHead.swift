/// The head of an HTTP request: what a WebSocket handshake is judged by.
public struct RequestHead: Sendable, Equatable {
    /// The method, such as `GET`.
    public var method: String
    /// The request target as it was sent: path and query.
    public var target: String
    /// `HTTP/1.1` or `HTTP/1.0`.
    public var version: String
    /// The header fields.
    public var headers: HeaderFields

    /// Where a browser's script comes from: `Origin`, or `Sec-WebSocket-Origin` as in hybi-07 and hybi-08.
    public var origin: String? { headers.first("Origin") ?? headers.first("Sec-WebSocket-Origin") }

    /// A head, for a caller that parsed it itself.
    public init(method: String = "GET", target: String, version: String = "HTTP/1.1", headers: HeaderFields) {
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
    }
}

/// The head of an HTTP response, which a client gets.
struct ResponseHead: Equatable {
    var status: Int
    var headers: HeaderFields
}

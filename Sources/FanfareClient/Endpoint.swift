package import Driver

/// Where a broker is: the URL of its Bayeux endpoint. `http` and `ws` mean the same, `https` and `wss` too.
public struct Endpoint: Sendable, Equatable, CustomStringConvertible {
    /// As it was written, without user information.
    public let description: String
    /// What the WebSocket is opened to.
    package let url: WebSocketURL

    /// A text that is no URL of a broker.
    public struct Invalid: Error, Equatable, Sendable, CustomStringConvertible {
        /// The text.
        public let text: String
        /// One line for people.
        public var description: String { "\(text) is no URL such as http://127.0.0.1:8000/bayeux" }
    }

    /// Takes a URL such as `http://127.0.0.1:8000/bayeux` apart.
    public init(_ text: String) throws(Invalid) {
        let lowered = text.lowercased()
        let isHTTP = lowered.hasPrefix("http:") || lowered.hasPrefix("https:")
        do {
            url = try WebSocketURL(isHTTP ? "ws" + text.dropFirst(4) : text)
        } catch {
            throw Invalid(text: text)
        }
        let scheme = text.prefix { $0 != ":" }
        description = "\(scheme)://\(url.authority)\(url.target)"
    }

    /// Whether the connection is TLS.
    public var isSecure: Bool { url.isSecure }
}

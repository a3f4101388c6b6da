package import Driver

/// Where a broker is: the URL of its Bayeux endpoint, or the Unix socket that it listens at.
///
/// `http` and `ws` mean the same, `https` and `wss` too. `unix:/run/fanfare.sock` is the endpoint `/bayeux` at that
/// socket, `unix:/run/fanfare.sock:/push` the endpoint `/push`.
public struct Endpoint: Sendable, Equatable, CustomStringConvertible {
    /// As it was written, without user information.
    public let description: String
    /// What the WebSocket is opened to.
    package let url: WebSocketURL
    /// The path of the Unix socket that leads there, if one does.
    package let socketPath: String?

    /// A text that is no URL of a broker.
    public struct Invalid: Error, Equatable, Sendable, CustomStringConvertible {
        /// The text.
        public let text: String
        /// One line for people.
        public var description: String {
            "\(text) is no URL such as http://127.0.0.1:8000/bayeux, nor a socket such as unix:/run/fanfare.sock"
        }
    }

    /// Takes a URL such as `http://127.0.0.1:8000/bayeux`, or a socket such as `unix:/run/fanfare.sock`, apart.
    public init(_ text: String) throws(Invalid) {
        let lowered = text.lowercased()
        if lowered.hasPrefix("unix:") {
            let rest = text.dropFirst("unix:".count)
            let end = rest.firstRange(of: ":/")?.lowerBound
            let path = String(rest[..<(end ?? rest.endIndex)])
            let target = end.map { String(rest[rest.index(after: $0)...]) } ?? "/bayeux"
            // A name of this machine, as which a broker that is there alone lets itself be addressed.
            guard path.hasPrefix("/"), !path.hasPrefix("//"), path.utf8.count < 104,
                let url = try? WebSocketURL("ws://localhost" + target)
            else { throw Invalid(text: text) }
            (self.url, socketPath, description) = (url, path, text)
            return
        }
        let isHTTP = lowered.hasPrefix("http:") || lowered.hasPrefix("https:")
        do {
            url = try WebSocketURL(isHTTP ? "ws" + text.dropFirst(4) : text)
        } catch {
            throw Invalid(text: text)
        }
        let scheme = text.prefix { $0 != ":" }
        description = "\(scheme)://\(url.authority)\(url.target)"
        socketPath = nil
    }

    /// Whether the connection is TLS.
    public var isSecure: Bool { url.isSecure }

    /// The origin of the pages that the broker itself serves there.
    public var origin: String { (isSecure ? "https://" : "http://") + url.authority }

    /// The path of the endpoint, with its query.
    public var target: String { url.target }
}

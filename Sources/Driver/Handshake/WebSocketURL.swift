/// A `ws:` or `wss:` URL (RFC 6455 §3), taken apart.
public struct WebSocketURL: Sendable, Equatable {
    /// Whether TLS is asked for (`wss:`).
    public let isSecure: Bool
    /// The host to connect to: a name, an IPv4 address, or an IPv6 address without its brackets.
    public let host: String
    /// The port to connect to; 80 or 443 if the URL has none.
    public let port: UInt16
    /// What the `Host` field says: the host as written, and the port unless it is the default one.
    public let authority: String
    /// The request target: the path, `/` if empty, and the query.
    public let target: String
    /// `user:password` of the URL, its percent-escapes decoded, in Base64 for `Authorization: Basic`.
    public let basicCredentials: String?

    /// The host as written and the port, also if it is the default one: what a proxy is asked to connect to.
    let hostAndPort: String

    /// The URL without its user information, for texts that people see.
    var redacted: String { "\(isSecure ? "wss" : "ws")://\(authority)\(target)" }

    /// A text that is no URL for a WebSocket.
    public struct Invalid: Error, Equatable, Sendable, CustomStringConvertible {
        /// The text.
        public let text: String

        /// One line for people.
        public var description: String { "\(text) is not a valid WebSocket URL" }
    }

    /// Takes a URL apart. Other schemes, fragments (RFC 6455 §3 forbids them), blanks, and anything that is not
    /// printable ASCII are refused.
    public init(_ text: String) throws(Invalid) {
        let invalid = Invalid(text: text)
        guard text.utf8.allSatisfy({ 0x21...0x7E ~= $0 && $0 != UInt8(ascii: "#") }),
            let colon = text.firstIndex(of: ":")
        else { throw invalid }
        switch text[..<colon].lowercased() {
        case "ws": isSecure = false
        case "wss": isSecure = true
        default: throw invalid
        }
        var rest = text[text.index(after: colon)...]
        guard rest.hasPrefix("//") else { throw invalid }
        rest = rest.dropFirst(2)

        let location = rest.prefix { $0 != "/" && $0 != "?" }
        let path = rest[location.endIndex...]
        target = path.hasPrefix("/") ? String(path) : "/" + path

        let defaultPort: UInt16 = isSecure ? 443 : 80
        guard let parsed = URLAuthority(location, defaultPort: defaultPort) else { throw invalid }
        host = parsed.host
        port = parsed.port
        authority = parsed.text
        basicCredentials = parsed.basicCredentials
        hostAndPort = parsed.hostAndPort
    }
}

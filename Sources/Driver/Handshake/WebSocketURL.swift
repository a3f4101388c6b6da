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

        var hostAndPort = location
        if let at = location.lastIndex(of: "@") {
            guard let userinfo = Self.percentDecoded(location[..<at]) else { throw invalid }
            basicCredentials = Base64.encode(userinfo)
            hostAndPort = location[location.index(after: at)...]
        } else {
            basicCredentials = nil
        }
        guard let (written, port) = Self.split(hostAndPort) else { throw invalid }
        let defaultPort: UInt16 = isSecure ? 443 : 80
        self.port = port ?? defaultPort
        host = written.hasPrefix("[") ? String(written.dropFirst().dropLast()) : String(written)
        authority = self.port == defaultPort ? String(written) : "\(written):\(self.port)"
    }

    /// The host with its brackets, and the port if there is one.
    private static func split(_ text: Substring) -> (host: Substring, port: UInt16?)? {
        let host: Substring
        if text.hasPrefix("[") {
            guard let bracket = text.firstIndex(of: "]") else { return nil }
            host = text[...bracket]
            let address = host.dropFirst().dropLast()
            guard address.contains(":"), address.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else {
                return nil
            }
        } else {
            host = text.prefix { $0 != ":" }
            guard !host.isEmpty, host.utf8.allSatisfy(isHostByte) else { return nil }
        }
        let rest = text[host.endIndex...]
        if rest.isEmpty || rest == ":" { return (host, nil) }
        let digits = rest.dropFirst()
        guard rest.hasPrefix(":"), digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let port = UInt16(digits), port > 0
        else { return nil }
        return (host, port)
    }

    /// unreserved, sub-delims and "%" (RFC 3986 §3.2.2).
    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "#"): false
        case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "="): true
        default: ASCII.isTokenByte(byte)
        }
    }

    private static func percentDecoded(_ text: Substring) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, !digits.contains(UInt8(ascii: "+")), !digits.contains(UInt8(ascii: "-")),
                let value = UInt8(Substring(digits), radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}

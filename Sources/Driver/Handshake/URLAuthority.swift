/// The part of a URL that says where to connect to: `user:password@host:port` (RFC 3986 §3.2).
struct URLAuthority: Equatable {
    /// The host as written, an IPv6 address with its brackets.
    let writtenHost: String
    let port: UInt16
    /// The host as written, and the port unless it is the default one.
    let text: String
    /// `user:password`, percent-escapes decoded, in Base64 for `Basic` (RFC 7617).
    let basicCredentials: String?

    /// The host as written, and the port in any case.
    var hostAndPort: String { "\(writtenHost):\(port)" }
    /// The host without brackets.
    var host: String { writtenHost.hasPrefix("[") ? String(writtenHost.dropFirst().dropLast()) : writtenHost }

    /// Takes an authority of printable ASCII apart; nil if it is none.
    init?(_ authority: Substring, defaultPort: UInt16) {
        var hostAndPort = authority
        if let at = authority.lastIndex(of: "@") {
            guard let userinfo = Self.percentDecoded(authority[..<at]) else { return nil }
            basicCredentials = Base64.encode(userinfo)
            hostAndPort = authority[authority.index(after: at)...]
        } else {
            basicCredentials = nil
        }
        guard let (written, port) = Self.split(hostAndPort) else { return nil }
        writtenHost = String(written)
        self.port = port ?? defaultPort
        text = self.port == defaultPort ? writtenHost : "\(writtenHost):\(self.port)"
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
        guard rest.hasPrefix(":"), digits.utf8.allSatisfy(ASCII.isDigit), let port = UInt16(digits), port > 0
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

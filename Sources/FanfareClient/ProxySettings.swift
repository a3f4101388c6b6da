public import Driver

/// Which HTTP proxy leads to which host, as the environment variables of curl say it.
public struct ProxySettings: Sendable, Equatable {
    /// The proxy for `http` and `ws`.
    public var plain: ProxyURL?
    /// The proxy for `https` and `wss`.
    public var secure: ProxyURL?
    /// Hosts that are reached directly, with everything below them; `*` for all.
    public var exceptions: [String]

    /// No proxy, or those given.
    public init(plain: ProxyURL? = nil, secure: ProxyURL? = nil, exceptions: [String] = []) {
        self.plain = plain
        self.secure = secure
        self.exceptions = exceptions
    }

    /// Reads `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`; the names in lower case win, and `HTTP_PROXY` in
    /// upper case is not looked at, for a server's client can set it (CVE-2016-5385).
    public init(environment: [String: String]) throws(ProxyURL.Invalid) {
        func first(_ names: String...) throws(ProxyURL.Invalid) -> ProxyURL? {
            for name in names {
                guard let value = environment[name], !value.isEmpty else { continue }
                return try ProxyURL(value.contains("://") ? value : "http://" + value)
            }
            return nil
        }
        plain = try first("http_proxy", "all_proxy", "ALL_PROXY")
        secure = try first("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
        let list = environment["no_proxy"] ?? environment["NO_PROXY"] ?? ""
        exceptions = list.split { $0 == "," || $0 == " " }.map(String.init)
    }

    /// The proxy on the way to a broker, if any.
    public func proxy(for endpoint: Endpoint) -> ProxyURL? {
        endpoint.socketPath == nil ? proxy(for: endpoint.url) : nil
    }

    /// The proxy on the way to a host, if any.
    package func proxy(for url: WebSocketURL) -> ProxyURL? {
        guard let proxy = url.isSecure ? secure : plain else { return nil }
        let host = url.host.lowercased()
        let isDirect = exceptions.contains { exception in
            if exception == "*" { return true }
            var name = exception.lowercased()
            if let end = name.lastIndex(of: ":"), let port = UInt16(name[name.index(after: end)...]),
                !name[..<end].contains(":") || name[..<end].hasSuffix("]")
            {
                guard port == url.port else { return false }
                name = String(name[..<end])
            }
            name = String(name.drop { $0 == "." || $0 == "[" }.prefix { $0 != "]" })
            return host == name || host.hasSuffix("." + name)
        }
        return isDirect ? nil : proxy
    }
}

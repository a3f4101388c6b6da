/// Which web pages may use the broker: an `Origin` header is sent by browsers and cannot be forged by a page (RFC 6454).
///
/// A request without it does not come from a page. Else the origin is let in when it is of the same host and port as
/// the request, when it is listed, or, while only this machine uses the broker, when it is a loopback origin itself.
struct OriginPolicy: Sendable {
    private let allowsAll: Bool
    private let allowed: Set<String>
    private let allowsLoopback: Bool

    /// `allowed` holds origins such as `https://example.com`, or `*`.
    init(allowed: [String], allowsLoopback: Bool) {
        allowsAll = allowed.contains("*")
        self.allowed = Set(allowed.map { Self.normal($0.lowercased()) })
        self.allowsLoopback = allowsLoopback
    }

    /// Whether a request with these headers may go on.
    func allows(origin: String?, host: String?) -> Bool {
        guard let text = origin else { return true }
        // The answer repeats it, whoever has read the request, and an origin is ASCII without blanks (RFC 6454 §6.2).
        guard text.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else { return false }
        let origin = Self.normal(text.lowercased())
        if allowsAll || allowed.contains(origin) { return true }
        guard let scheme = ["http://", "https://"].first(where: origin.hasPrefix) else { return false }
        let authority = String(origin.dropFirst(scheme.count))
        if let host, Self.normal(scheme + host.lowercased()) == origin { return true }
        return allowsLoopback && HostName.isLoopback(HostName.host(of: authority))
    }

    /// Whether a page may have its script element ask for something that has effects. No `Origin` comes with that.
    ///
    /// `referer` names the page instead. One who hides it is let in only when the browser says that there is no other
    /// site behind the request (`Sec-Fetch-Site`, W3C Fetch Metadata). Silence will not do: over plain HTTP browsers say
    /// that to brokers on loopback only, and a page may have its `Referer` left out.
    func allowsScript(of referer: String?, fetchSite: String?, host: String?) -> Bool {
        if allowsAll || fetchSite == "same-origin" { return true }
        if let referer, !referer.isEmpty { return allows(origin: Self.origin(of: referer), host: host) }
        return fetchSite == "none"
    }

    /// Browsers leave out the port of an origin that is its scheme's own (RFC 6454 §6.2); people and proxies may write it.
    private static func normal(_ origin: String) -> String {
        for (scheme, port) in [("http://", ":80"), ("https://", ":443")]
        where origin.hasPrefix(scheme) && origin.hasSuffix(port) {
            return String(origin.dropLast(port.count))
        }
        return origin
    }

    /// The origin of a URL: its scheme and authority.
    private static func origin(of url: String) -> String {
        guard let authority = url.firstRange(of: "://")?.upperBound else { return "null" }
        let end = url[authority...].firstIndex { "/?#".contains($0) } ?? url.endIndex
        return String(url[..<end])
    }
}

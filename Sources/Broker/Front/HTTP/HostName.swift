import BrokerCore

/// The host of an authority (`host:port`), as `Host` and `Origin` name it.
enum HostName {
    /// The host of `host:port`, an IPv6 address without its brackets; empty for what is no such text (RFC 3986 §3.2).
    static func host(of authority: String) -> String {
        let host: Substring
        let rest: Substring
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            host = authority[..<end].dropFirst()
            rest = authority[end...].dropFirst()
        } else {
            host = authority.prefix { $0 != ":" }
            rest = authority[host.endIndex...]
        }
        let isPort = rest.first == ":" && rest.utf8.dropFirst().allSatisfy(\.isDecimalDigit)
        return rest.isEmpty || isPort ? String(host) : ""
    }

    /// Whether the name or address stands for this machine alone.
    static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

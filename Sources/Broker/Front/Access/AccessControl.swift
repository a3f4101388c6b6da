import NIOHTTP1

/// Who may do what, as far as requests tell.
final class AccessControl: Sendable {
    private let configuration: BrokerConfiguration

    init(configuration: BrokerConfiguration) {
        self.configuration = configuration
    }

    /// Whether a request may see and do what is the administrator's.
    ///
    /// As long as no keys are configured that is whoever is on this machine. A web page is not, wherever its browser
    /// runs: one of another origin is told by `Origin` or `Sec-Fetch-Site`, one whose name was turned to this machine
    /// (DNS rebinding) by `Host`. Nor is somebody far away whose request a proxy on this machine passes on.
    func isAdmin(_ head: HTTPRequestHead, _ handler: HTTPHandler) -> Bool {
        handler.isPeerLoopback && Self.isLocal(head.headers)
    }

    /// Whether nothing in a request says that it comes from elsewhere.
    static func isLocal(_ headers: HTTPHeaders) -> Bool {
        let hosts = headers["Host"]
        guard hosts.count == 1, HostName.isLoopback(HostName.host(of: hosts[0].lowercased())) else { return false }
        if ["Forwarded", "X-Forwarded-For", "Via"].contains(where: headers.contains) { return false }
        if let site = headers.first(name: "Sec-Fetch-Site"), site != "same-origin", site != "none" { return false }
        return headers["Origin"].allSatisfy { origin in
            ["http://", "https://"].contains { origin.lowercased() == $0 + hosts[0].lowercased() }
        }
    }
}

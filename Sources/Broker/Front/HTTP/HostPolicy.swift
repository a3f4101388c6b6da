import BrokerCore

/// By which names, at whatever port, a broker may be addressed.
///
/// A page of a stranger can have its own name turned to this machine (DNS rebinding). To the browser the broker is then of
/// the page's origin, and only `Host` still says what the page is called.
struct HostPolicy: Sendable {
    private let allowsAll: Bool
    /// Whether every IP address is let in: nobody can turn one elsewhere, and load balancers and probes ask for them.
    /// Not on loopback, where nobody who means well asks for another machine's.
    private let allowsAddresses: Bool
    private let names: Set<String>

    /// Allows the names of this machine, what the configuration lists, and the hosts of the origins that are let in.
    init(_ configuration: BrokerConfiguration) {
        allowsAll = configuration.allowedHosts.contains("*") || configuration.allowedOrigins.contains("*")
        allowsAddresses = !configuration.isLoopbackOnly
        let origins = configuration.allowedOrigins.compactMap { origin in
            origin.firstRange(of: "://").map { HostName.host(of: String(origin[$0.upperBound...])) }
        }
        names = Set(
            (configuration.allowedHosts.map(Self.name) + origins + configuration.listeners.compactMap(\.host))
                .map { $0.lowercased() })
    }

    /// What is listed, without a port; an IPv6 address may have been listed without brackets.
    private static func name(_ listed: String) -> String {
        let host = HostName.host(of: listed)
        return host.isEmpty ? listed : host
    }

    /// Whether a request may carry this `Host`.
    func allows(_ field: String) -> Bool {
        if allowsAll { return true }
        var host = HostName.host(of: field.lowercased())
        if host.hasSuffix(".") { host.removeLast() }
        if HostName.isLoopback(host) || names.contains(host) { return true }
        return allowsAddresses && IPAddress(host) != nil
    }
}

import BrokerCore

extension BrokerConfiguration {
    /// What in it lets in more than a broker that faces strangers should: a line for each, for the log and the operator.
    package var warnings: [String] {
        var warnings: [String] = []
        if allowedOrigins.contains("*") {
            warnings.append("allow-origin: '*' lets pages of all origins use the broker")
        }
        if allowedHosts.contains("*"), isLoopbackOnly {
            warnings.append("allow-host: '*' lets any page reach this machine's broker by turning its name here")
        }
        for listener in listeners {
            if case .unix = listener.address, listener.inherited == nil, listener.permissions.mode & 0o002 != 0 {
                warnings.append("\(listener.title): everybody on this machine may connect (mode)")
            }
        }
        guard let open = listeners.first(where: { !$0.address.isLocal }) else { return warnings }
        if metrics == .all, listeners.contains(where: { !$0.address.isLocal && $0.servesMetrics }) {
            warnings.append("metrics: all shows them to everybody who reaches \(open.title)")
        }
        if access.publish == .everyone {
            warnings.append("auth.publish: everyone lets everybody who reaches \(open.title) publish")
        }
        if !access.keyFiles.isEmpty,
            let plain = listeners.first(where: { !$0.address.isLocal && $0.tls == nil && !$0.isTrusted })
        {
            warnings.append("\(plain.title) takes tokens without TLS: whoever is on the way can read them")
        }
        return warnings
    }
}

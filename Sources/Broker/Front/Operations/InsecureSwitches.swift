import BrokerCore

extension BrokerConfiguration {
    /// What in it lets in more than a broker that faces strangers should, or less than it says: a line for each, for the
    /// log and the operator.
    package var warnings: [String] {
        var warnings: [String] = []
        if allowedOrigins.contains("*") {
            warnings.append("allow-origin: '*' lets pages of all origins use the broker")
        }
        if allowedHosts.contains("*"), isLoopbackOnly {
            warnings.append("allow-host: '*' lets any page reach this machine's broker by turning its name here")
        }
        for range in trust.ranges where range.holdsEverything {
            warnings.append("trusted-proxies: \(range) believes everybody who says for whom they speak")
        }
        for listener in listeners {
            if case .unix = listener.address, listener.inherited == nil, listener.permissions.mode & 0o002 != 0 {
                warnings.append("\(listener.title): everybody on this machine may connect (mode)")
            }
        }
        for listener in listeners {
            if case .unix = listener.address, listener.inherited != nil, listener.permissions != SocketPermissions() {
                warnings.append(
                    "\(listener.title): systemd has made its file, so mode, owner and group mean nothing here; "
                        + "the socket unit has SocketMode=, SocketUser= and SocketGroup=")
            }
        }
        for source in access.keySources where source.isOpenToStrangers {
            warnings.append("auth.keys: \(source) has no TLS: whoever is on the way can give the broker keys")
        }
        let open = listeners.filter { !$0.address.isLocal }
        if metrics == .all, let places = Self.titles(open.filter(\.servesMetrics)) {
            warnings.append("metrics: all shows them to everybody who reaches \(places)")
        }
        if access.publish == .everyone, let places = Self.titles(open) {
            warnings.append("auth.publish: everyone lets everybody who reaches \(places) publish")
        }
        if !access.keySources.isEmpty {
            for plain in open where plain.tls == nil && !plain.isTrusted {
                warnings.append("\(plain.title) takes tokens without TLS: whoever is on the way can read them")
            }
        }
        return warnings
    }

    /// Where they are, in words; nil if there is none.
    private static func titles(_ listeners: [ListenerOptions]) -> String? {
        listeners.isEmpty ? nil : listeners.map(\.title).joined(separator: " or ")
    }
}

import BrokerFront

/// A key of a listener. Listeners stand below `listeners`, in a list.
typealias ListenerSetting = ItemSetting<ListenerOptions>

extension ItemSetting where Item == ListenerOptions {
    /// The key that says where it is, and the one that says what it is called.
    static var addressKey: String { "listen" }
    static var nameKey: String { "name" }

    static var all: [ListenerSetting] {
        [
            ListenerSetting(
                nameKey, .name, \.name, "what it is called in the log, in errors and in metrics; by default its address"
            ).with(example: "public"),
            ListenerSetting(
                addressKey, .listenAddress, \.address,
                "where it is: host:port, unix:/path, or systemd:NAME for a socket that systemd has opened"
            ).with(example: "0.0.0.0:8443"),
            file("tls.certificate", \.certificate, "the certificate, with what signed it (PEM), if it speaks TLS")
                .with(isLive: true, example: "/etc/fanfare/certificate.pem"),
            file("tls.key", \.key, "its private key (PEM)").with(isLive: true, example: "/etc/fanfare/key.pem"),
            ListenerSetting(
                "tls.client-authority", .file, "who signs clients' certificates (PEM)",
                get: { $0.tls?.clientAuthority }, set: { listener, file in listener.edit { $0.clientAuthority = file } }
            ).with(isLive: true, example: "/etc/fanfare/clients.pem"),
            ListenerSetting(
                "tls.client-certificates", .choice,
                "whether clients need one of theirs, may have one, or are not asked",
                get: { $0.tls.flatMap { $0.clientAuthority == nil ? nil : $0.clientCertificates } },
                set: { listener, value in listener.edit { $0.clientCertificates = value } }
            ).with(isLive: true, defaultNote: "required", example: "required"),
            ListenerSetting(
                "admin", .flag, \.servesAdministration, "whether what is the administrator's is served here"),
            ListenerSetting("metrics", .flag, \.servesMetrics, "whether /metrics is served here"),
            ListenerSetting(
                "proxy-protocol", .flag, \.takesProxyHeader, "whether each connection begins with a PROXY header"),
            ListenerSetting(
                "trusted", .flag, \.isTrusted,
                "whether whoever connects here is a proxy that is believed when it says for whom it speaks"),
            ListenerSetting("mode", .fileMode, \.permissions.mode, "who may open a Unix socket, as chmod takes it"),
            ListenerSetting("owner", ValueType.name.optional, \.permissions.owner, "whose its file is; needs root")
                .with(example: "fanfare"),
            ListenerSetting(
                "group", ValueType.name.optional, \.permissions.group,
                "whose group its file is; one that the broker's user is in"
            ).with(example: "www-data"),
        ]
    }

    private static func file(
        _ name: String, _ field: any WritableKeyPath<TLSFiles, String> & Sendable, _ meaning: String
    ) -> ListenerSetting {
        ListenerSetting(
            name, .file, meaning,
            get: { listener in listener.tls.flatMap { $0[keyPath: field].isEmpty ? nil : $0[keyPath: field] } },
            set: { listener, file in listener.edit { $0[keyPath: field] = file } })
    }
}

extension TLSFiles {
    /// What is wrong when somebody is to be asked for a certificate, and it is not known whose are good; nil if nothing is.
    var problemOfAsking: String? {
        clientAuthority == nil && clientCertificates != .none
            ? "tls.client-certificates means nothing without tls.client-authority" : nil
    }
}

extension ListenerOptions {
    /// Changes the files of TLS, which there are from then on.
    mutating func edit(_ body: (inout TLSFiles) -> Void) {
        var files = tls ?? TLSFiles()
        body(&files)
        tls = files
    }

    /// What is wrong with it as a whole; to go on after its place.
    var problem: String? {
        let isUnix = if case .unix = address { true } else { false }
        if !isUnix, permissions != SocketPermissions() { return "mode, owner and group are for unix:/path only" }
        guard let tls else { return nil }
        if tls.certificate.isEmpty { return "tls.certificate is missing" }
        if tls.key.isEmpty { return "tls.key is missing" }
        return nil
    }
}

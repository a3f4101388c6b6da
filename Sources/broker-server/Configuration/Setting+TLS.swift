import BrokerFront

extension Setting {
    static let tls: [Setting] = [
        Setting(
            "tls.listen", .address("0.0.0.0:8443"), "the address and port to listen on for https and wss",
            get: { settings in settings.broker.tls.map { HostAndPort(host: $0.host, port: $0.port) } },
            set: { settings, address in
                settings.broker.tls = settings.broker.tls ?? TLSListener()
                settings.broker.tls?.host = address.host
                settings.broker.tls?.port = address.port
            }
        ).with(defaultNote: "127.0.0.1:8443 as soon as there is another key of this group", example: "0.0.0.0:8443"),
        file("tls.certificate", \.certificateFile, "the certificate, with what signed it (PEM)")
            .with(effect: .atReload, defaultNote: "none, and no TLS", example: "/etc/fanfare/certificate.pem"),
        file("tls.key", \.keyFile, "its private key (PEM)")
            .with(effect: .atReload, defaultNote: "none", example: "/etc/fanfare/key.pem"),
        Setting(
            "tls.client-authority", .file, "clients must have a certificate that one of these signed (PEM)",
            get: { $0.broker.tls?.clientAuthorityFile },
            set: { settings, file in
                settings.broker.tls = settings.broker.tls ?? TLSListener()
                settings.broker.tls?.clientAuthorityFile = file
            }
        ).with(effect: .atReload, defaultNote: "none: they need not have any", example: "/etc/fanfare/clients.pem"),
    ]

    private static func file(
        _ name: String, _ field: any WritableKeyPath<TLSListener, String> & Sendable, _ meaning: String
    ) -> Setting {
        Setting(
            name, .file, meaning,
            get: { settings in settings.broker.tls.flatMap { $0[keyPath: field].isEmpty ? nil : $0[keyPath: field] } },
            set: { settings, file in
                var listener = settings.broker.tls ?? TLSListener()
                listener[keyPath: field] = file
                settings.broker.tls = listener
            })
    }
}

import BrokerFront

extension Setting {
    static let tls: [Setting] = [
        Setting(
            "tls.listen", .listenAddress, "the address and port to listen on for https and wss",
            get: { $0.tls?.address }, set: { settings, address in settings.editTLS { $0.address = address } },
            take: { settings, others in
                if let address = others.tls?.address { settings.editTLS { $0.address = address } }
            }
        ).with(defaultNote: "127.0.0.1:8443 as soon as there is another key of this group", example: "0.0.0.0:8443"),
        file("tls.certificate", \.certificate, "the certificate, with what signed it (PEM)")
            .with(effect: .atReload, defaultNote: "none, and no TLS", example: "/etc/fanfare/certificate.pem"),
        file("tls.key", \.key, "its private key (PEM)")
            .with(effect: .atReload, defaultNote: "none", example: "/etc/fanfare/key.pem"),
        Setting(
            "tls.client-authority", .file, "clients must have a certificate that one of these signed (PEM)",
            get: { $0.tls?.tls?.clientAuthority },
            set: { settings, file in settings.editTLS { $0.edit { $0.clientAuthority = file } } },
            take: takeFiles
        ).with(effect: .atReload, defaultNote: "none: they need not have any", example: "/etc/fanfare/clients.pem"),
        Setting(
            "tls.client-certificates", .choice, "whether clients need a certificate, may have one, or are not asked",
            get: { settings in settings.tls?.tls.flatMap { $0.clientAuthority == nil ? nil : $0.clientCertificates } },
            set: { settings, value in settings.editTLS { $0.edit { $0.clientCertificates = value } } },
            take: takeFiles
        ).with(effect: .atReload, defaultNote: "required", example: "optional"),
    ]

    private static func file(
        _ name: String, _ field: any WritableKeyPath<TLSFiles, String> & Sendable, _ meaning: String
    ) -> Setting {
        Setting(
            name, .file, meaning,
            get: { settings in
                settings.tls?.tls.flatMap { $0[keyPath: field].isEmpty ? nil : $0[keyPath: field] }
            },
            set: { settings, file in settings.editTLS { $0.edit { $0[keyPath: field] = file } } },
            take: takeFiles)
    }

    /// A certificate is of no use without its key: the files are taken together, by a listener that there is.
    private static let takeFiles: @Sendable (inout Settings, Settings) -> Void = { settings, others in
        settings.tls?.tls = others.tls?.tls
    }
}

extension Settings {
    /// Changes the listener of the group `tls`, which there is from then on.
    fileprivate mutating func editTLS(_ body: (inout ListenerOptions) -> Void) {
        var listener = tls ?? ListenerOptions(.tcp(host: "127.0.0.1", port: 8443), name: "tls", tls: TLSFiles())
        body(&listener)
        tls = listener
    }
}

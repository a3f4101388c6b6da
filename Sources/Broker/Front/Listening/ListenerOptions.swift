/// A place where the broker listens, and what holds for those who come there.
package struct ListenerOptions: Sendable, Equatable {
    /// What it is called in the log, in errors and in metrics.
    package var name: String
    package var address: ListenerAddress
    /// Who may open its file, where it is a Unix socket that the broker makes.
    package var permissions = SocketPermissions()
    /// With what it speaks TLS; nil where it does not.
    package var tls: TLSFiles?
    /// Whether what is the administrator's is served here, to those who may.
    package var servesAdministration = true
    /// Whether `/metrics` is served here, to those who may.
    package var servesMetrics = true
    /// Whether each connection begins with a PROXY header.
    package var takesProxyHeader = false
    /// Whether whoever connects here is a proxy that is believed when it says for whom it speaks.
    package var isTrusted = false
    /// The socket, where the service manager has opened it.
    package var inherited: CInt?

    /// A plain listener, or one with TLS, that is called by its address unless it has a name.
    package init(_ address: ListenerAddress, name: String? = nil, tls: TLSFiles? = nil) {
        self.address = address
        self.name = name ?? address.description
        self.tls = tls
    }

    /// The host that it listens on, if it has one.
    package var host: String? {
        if case .tcp(let host, _) = address { host } else { nil }
    }

    /// How errors name it.
    package var title: String {
        name == address.description ? "\(address)" : "\(address) (listener \(name))"
    }
}

/// Who may open the file of a Unix socket.
package struct SocketPermissions: Sendable, Equatable {
    /// As `chmod` takes it: who may write may connect.
    package var mode: UInt32 = 0o660
    /// A name or number; nil for whoever runs the broker.
    package var owner: String?
    package var group: String?

    /// The defaults.
    package init() {}
}

/// The files of TLS.
package struct TLSFiles: Sendable, Equatable {
    /// The certificate with what signed it (PEM).
    package var certificate = ""
    /// Its key (PEM).
    package var key = ""
    /// Certificates (PEM) of those who sign clients' certificates.
    package var clientAuthority: String?
    /// What becomes of clients' certificates, where there is such a file.
    package var clientCertificates = ClientCertificates.required

    /// No files yet.
    package init() {}
}

/// What becomes of clients' certificates.
package enum ClientCertificates: String, Sendable, CaseIterable {
    /// They are not asked for.
    case none
    /// A client may have none; one that it has must be good.
    case optional
    /// Nobody gets in without a good one.
    case required
}

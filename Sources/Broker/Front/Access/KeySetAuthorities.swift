import Foundation
import NIOSSL

/// Authorities whose certificates are trusted at the addresses of key sets, beside those that the system trusts.
package struct KeySetAuthorities: Sendable, Equatable {
    let certificates: [NIOSSLCertificate]

    /// None but the system's.
    init() {
        certificates = []
    }

    /// Those in a PEM file, all of which must be readable; none but the system's without a file.
    package init(file: String?) throws(TokenKeyError) {
        guard let file else {
            certificates = []
            return
        }
        guard let bytes = try? Data(contentsOf: URL(filePath: file)) else {
            throw TokenKeyError(place: file, reason: "the file of authorities cannot be read")
        }
        guard !bytes.isEmpty else { throw TokenKeyError(place: file, reason: "the file of authorities is empty") }
        do {
            certificates = try NIOSSLCertificate.fromPEMBytes([UInt8](bytes))
        } catch {
            let isPEM = bytes.firstRange(of: Data("-----BEGIN CERTIFICATE-----".utf8)) != nil
            let reason = isPEM ? "a certificate in it cannot be read" : "there is no certificate in it (PEM)"
            throw TokenKeyError(place: file, reason: reason)
        }
    }

    /// What a client of such an address begins with.
    var configuration: TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        if !certificates.isEmpty { configuration.additionalTrustRoots = [.certificates(certificates)] }
        return configuration
    }
}

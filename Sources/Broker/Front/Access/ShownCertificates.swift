import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import SwiftASN1
import X509

/// The certificates that a server shows, asked for once more to say what is wrong with them: the TLS library tells that
/// it does not trust them, and not why.
///
/// They are looked at, and never trusted: the handshake is refused whatever they are.
struct ShownCertificates {
    /// The server's own first, then those that signed them.
    let certificates: [Certificate]

    /// These.
    init(certificates: [Certificate]) {
        self.certificates = certificates
    }

    /// Asks a server: none when it shows none within so long.
    init(host: String, port: Int, on group: any EventLoopGroup, within limit: Duration) async throws {
        let context = try NIOSSLContext(configuration: KeySetAuthorities().configuration)
        let name = Self.isAddress(host) ? nil : host
        let (shown, sink) = AsyncStream.makeStream(of: [NIOSSLCertificate].self)
        let channel = try await ClientBootstrap(group: group).connectTimeout(TimeAmount(limit))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = try NIOSSLClientHandler(
                        context: context, serverHostname: name,
                        customVerificationCallback: { shown, verdict in
                            sink.yield(shown)
                            verdict.succeed(.failed)
                        })
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .connect(host: host, port: port).get()
        channel.closeFuture.whenComplete { _ in sink.finish() }
        let end = channel.eventLoop.scheduleTask(in: TimeAmount(limit)) { sink.finish() }
        let first = await shown.first { _ in true }
        end.cancel()
        channel.close(promise: nil)
        let found: [NIOSSLCertificate] = first ?? []
        certificates = try found.map { try Certificate(derEncoded: $0.toDERBytes()) }
    }

    /// What keeps the first of them from being trusted, by the system or by these authorities. `now` is the time.
    func fault(authorities: [Certificate], now: Date) -> String? {
        guard let own = certificates.first, let last = certificates.last else { return nil }
        for certificate in certificates {
            let whose = certificate == own ? "the certificate" : "the certificate of \(Self.text(certificate.subject))"
            if certificate.notValidAfter < now { return "\(whose) ended on \(Self.text(certificate.notValidAfter))" }
            if certificate.notValidBefore > now {
                return "\(whose) begins on \(Self.text(certificate.notValidBefore)): is this machine's clock right?"
            }
        }
        let signer = Self.text(last.issuer)
        guard let authority = authorities.first(where: { $0.subject == last.issuer }) else {
            return "the certificate is signed by \(signer), whom neither the system nor auth.key-set-authority trusts"
        }
        if authority.notValidAfter < now {
            return "the authority \(signer) in auth.key-set-authority ended on \(Self.text(authority.notValidAfter))"
        }
        return "the certificate does not stand the check with the authority \(signer) in auth.key-set-authority: "
            + "another key has signed it, or it is not a server's"
    }

    /// For whom the first of them is, as far as it says.
    var names: [String] {
        guard let names = try? certificates.first?.extensions.subjectAlternativeNames else { return [] }
        return names.compactMap { name in
            switch name {
            case .dnsName(let name): Self.printable(name)
            case .ipAddress(let address): Self.text(address)
            default: nil
            }
        }
    }

    private static func isAddress(_ host: String) -> Bool { (try? SocketAddress(ipAddress: host, port: 0)) != nil }

    private static func text(_ date: Date) -> String { Timestamp.text(Int64(date.timeIntervalSince1970) * 1000) }

    private static func text(_ name: DistinguishedName) -> String { name.isEmpty ? "nobody" : printable("\(name)") }

    private static func text(_ address: ASN1OctetString) -> String? {
        (try? SocketAddress(packedIPAddress: ByteBuffer(bytes: address.bytes), port: 0))?.ipAddress
    }

    /// A stranger's words go into the log and to a terminal.
    private static func printable(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars.prefix(200) {
            result.unicodeScalars.append(scalar.properties.generalCategory == .control ? "?" : scalar)
        }
        return result
    }
}

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SwiftASN1
import TLSErrors
import X509

/// Why no key set came from an address, in words for whoever operates the broker.
struct KeySetFailure {
    let address: String
    let authorities: KeySetAuthorities
    /// To look at a certificate that was refused.
    let limit: Duration

    /// What an error of the HTTP client means.
    func reason(of error: any Error) async -> String {
        switch error {
        case let error as NIOConnectionError: return Self.reason(of: error)
        case let error as IOError: return "cannot be reached: \(String(cString: strerror(error.errnoCode)))"
        case let error as HTTPClientError: return Self.reason(of: error)
        case is HTTPParserError: return "what comes from there is not HTTP"
        case NIOSSLError.uncleanShutdown: return Self.cut
        default:
            guard let failure = TLSFailure(error) else { return "cannot be fetched: \(error)" }
            return await reason(of: failure)
        }
    }

    private static let cut = "the connection was cut before the whole answer had come"

    private static func reason(of error: HTTPClientError) -> String {
        switch error {
        case .connectTimeout: "cannot be reached: no connection came about in time"
        case .tlsHandshakeTimeout: "what listens there does not speak TLS, or too slowly"
        case .remoteConnectionClosed, .uncleanShutdown: cut
        default: "cannot be fetched: \(error)"
        }
    }

    private static func reason(of error: NIOConnectionError) -> String {
        if let failure = error.connectionErrors.first {
            let cause = (failure.error as? IOError).map { String(cString: strerror($0.errnoCode)) }
            return "cannot be reached: \(cause ?? "\(failure.error)")"
        }
        return "cannot be reached: the name \(error.host) is not known"
    }

    private func reason(of failure: TLSFailure) async -> String {
        switch failure {
        case .certificate:
            let known = authorities.certificates.compactMap { try? Certificate(derEncoded: $0.toDERBytes()) }
            return await shown()?.fault(authorities: known, now: Date())
                ?? "the certificate is not one that the system or auth.key-set-authority trusts"
        case .name: return await reasonOfName()
        case .noTLS: return "what listens there does not speak TLS"
        case .closed: return "the connection was closed before TLS had begun"
        case .other(let reason): return "TLS failed: \(reason)"
        }
    }

    private func reasonOfName() async -> String {
        let names = await shown()?.names ?? []
        let host = host
        if names.isEmpty { return "the certificate does not name \(host) (subjectAltName)" }
        return "the certificate is for \(names.prefix(8).joined(separator: ", ")), not for \(host)"
    }

    private func shown() async -> ShownCertificates? {
        let port = URLComponents(string: address)?.port ?? 443
        return try? await ShownCertificates(
            host: host, port: port, on: HTTPClient.defaultEventLoopGroup, within: limit)
    }

    /// Without the brackets of IPv6.
    private var host: String {
        (URLComponents(string: address)?.host ?? "").trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
    }
}

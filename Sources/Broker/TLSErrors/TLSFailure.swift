import NIOSSL

/// What kept TLS from beginning, as a client sees it.
package enum TLSFailure: Equatable, Sendable {
    /// The certificate is from no authority that is trusted, or it has ended.
    case certificate
    /// The certificate does not name the host.
    case name
    /// What listens there does not speak TLS.
    case noTLS
    /// The peer went before anything was agreed on.
    case closed
    /// Something else, in words, such as an alert of the peer (RFC 8446 §6.2).
    case other(String)

    /// What an error of the TLS library means; nil for one that is not about how TLS begins.
    package init?(_ error: any Error) {
        switch error {
        case let error as NIOSSLExtraError where error == .failedToValidateHostname: self = .name
        case NIOSSLError.handshakeFailed(let cause): self.init(cause)
        // What the peer thinks of our certificate may come later than our end of the handshake (RFC 8446 §4.4.2.4).
        case let cause as BoringSSLError: self.init(cause)
        default: return nil
        }
    }

    /// The library's codes name what the peer sent.
    private init(_ cause: BoringSSLError) {
        let text = "\(cause)"
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            self = .certificate
        } else if ["WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST"].contains(where: text.contains) {
            self = .noTLS
        } else if cause == .zeroReturn || cause == .sslError([.eofDuringHandshake]) {
            self = .closed
        } else if case .sslError(let stack) = cause, let first = stack.first {
            self = .other(Self.name(of: first))
        } else {
            self = .other(text)
        }
    }

    /// The library writes `Error: CODE error:CODE:LIBRARY:FUNCTION:NAME at FILE:LINE`.
    private static func name(of error: BoringSSLInternalError) -> String {
        let fields = error.description.split(separator: ":", omittingEmptySubsequences: false)
        guard fields.count > 5 else { return error.description }
        return fields[5].prefix { $0 != " " }.lowercased().split(separator: "_").joined(separator: " ")
    }
}

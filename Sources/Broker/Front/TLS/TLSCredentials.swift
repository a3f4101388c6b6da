import Foundation
import NIOSSL
import Synchronization

/// Where the broker listens for TLS, and with what.
package struct TLSListener: Sendable {
    package var host = "127.0.0.1"
    /// 0 takes a free one.
    package var port = 8443
    /// The certificate with what signed it, and its key (PEM).
    package var certificateFile = ""
    package var keyFile = ""
    /// Certificates (PEM) of those who sign the certificates that clients must have; none for clients without.
    package var clientAuthorityFile: String?

    /// Nothing yet.
    package init() {}
}

/// The certificate that TLS connections get, as its files were when they were last read.
///
/// They are read again all or nothing: what does not do leaves the one that is in use. Connections that are open keep
/// what they have.
package final class TLSCredentials: Sendable {
    private struct State {
        var listener: TLSListener
        var context: NIOSSLContext
        var modified: [Date?]
        /// When the certificate ends (s since 1970).
        var notAfter: Double
    }
    private let state: Mutex<State>

    /// Reads the files. Throws when one of them will not do.
    package init(_ listener: TLSListener) throws(TLSError) {
        let modified = Self.modificationDates(of: listener)
        let (context, notAfter) = try Self.makeContext(listener)
        state = Mutex(State(listener: listener, context: context, modified: modified, notAfter: notAfter))
    }

    /// Reads the files again, or those of another configuration.
    package func reload(_ other: TLSListener? = nil) throws(TLSError) {
        let listener = other ?? state.withLock { $0.listener }
        let modified = Self.modificationDates(of: listener)
        // Whatever comes of it: it is not tried again before they change once more.
        state.withLock { $0.modified = modified }
        let (context, notAfter) = try Self.makeContext(listener)
        state.withLock { state in
            state.context = context
            state.notAfter = notAfter
            state.listener = listener
        }
    }

    /// Whether a file has changed since they were last read.
    package var haveChanged: Bool {
        let (listener, seen) = state.withLock { ($0.listener, $0.modified) }
        return Self.modificationDates(of: listener) != seen
    }

    /// When the certificate in use ends (s since 1970): the first of its chain to do so.
    package var notAfter: Double { state.withLock { $0.notAfter } }

    /// What a new connection begins with.
    func makeHandler() -> NIOSSLServerHandler {
        NIOSSLServerHandler(context: state.withLock { $0.context })
    }

    private static func modificationDates(of listener: TLSListener) -> [Date?] {
        [listener.certificateFile, listener.keyFile, listener.clientAuthorityFile].map { file in
            let attributes = file.flatMap { try? FileManager.default.attributesOfItem(atPath: $0) }
            return attributes?[.modificationDate] as? Date
        }
    }

    private static func makeContext(
        _ listener: TLSListener
    ) throws(TLSError) -> (context: NIOSSLContext, notAfter: Double) {
        let chain = try reading(listener.certificateFile, "certificate") { file in
            try NIOSSLCertificate.fromPEMFile(file)
        }
        guard !chain.isEmpty else {
            throw TLSError(file: listener.certificateFile, reason: "there is no certificate in it (PEM)")
        }
        let key = try reading(listener.keyFile, "key") { file in try NIOSSLPrivateKey(file: file, format: .pem) }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        if let file = listener.clientAuthorityFile {
            let authorities = try reading(file, "certificate") { file in try NIOSSLCertificate.fromPEMFile(file) }
            configuration.trustRoots = .certificates(authorities)
            configuration.certificateVerification = .noHostnameVerification
        }
        do {
            let notAfter = chain.map { Double($0.notValidAfter) }.min() ?? 0
            return (try NIOSSLContext(configuration: configuration), notAfter)
        } catch {
            throw TLSError(
                file: listener.keyFile, reason: "it is not the key of the certificate in \(listener.certificateFile)")
        }
    }

    private static func reading<Value>(
        _ file: String, _ what: String, _ body: (String) throws -> Value
    ) throws(TLSError) -> Value {
        guard FileManager.default.isReadableFile(atPath: file) else {
            throw TLSError(file: file, reason: "the file cannot be read")
        }
        do {
            return try body(file)
        } catch {
            throw TLSError(file: file, reason: "there is no \(what) in it (PEM)")
        }
    }
}

/// A file will not do for TLS.
package struct TLSError: Error, CustomStringConvertible {
    package let file: String
    package let reason: String

    package var description: String { "\(file): \(reason)" }
}

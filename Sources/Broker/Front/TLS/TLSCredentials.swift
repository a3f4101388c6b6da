import Foundation
import NIOSSL
import Synchronization

/// What TLS connections begin with, by listener, as the files were when they were last read.
///
/// They are read again all or nothing: what does not do leaves what is in use. Connections that are open keep what they
/// have.
package final class TLSCredentials: Sendable {
    private struct Entry {
        let files: TLSFiles
        let context: NIOSSLContext
        /// What the files were before they were read.
        let stamps: [FileStamp?]
        /// When the certificate ends (s since 1970).
        let notAfter: Double
    }
    private struct State {
        var entries: [String: Entry] = [:]
        /// What the files that had changed were, by listener, of which some would not do: they are not read again before one
        /// changes once more.
        var rejected: [String: [FileStamp?]] = [:]
    }
    private let state: Mutex<State>

    /// For a broker without TLS.
    package static let none = TLSCredentials()

    private init() {
        state = Mutex(State())
    }

    /// Reads the files of those listeners that speak TLS. Throws when one of them will not do.
    package init(_ listeners: [ListenerOptions]) throws(TLSError) {
        state = Mutex(State(entries: try Self.read(listeners)))
    }

    /// Whether there is a listener with TLS.
    package var isEmpty: Bool { state.withLock { $0.entries.isEmpty } }

    /// Reads the files of all listeners again, which may be others than before, and takes all of them or none.
    package func reload(_ listeners: [ListenerOptions]) throws(TLSError) {
        let entries = try Self.read(listeners)
        state.withLock { state in
            // A listener begins and ends with the broker.
            for (name, entry) in entries where state.entries[name] != nil { state.entries[name] = entry }
            state.rejected = [:]
        }
    }

    /// What came of a look at the files.
    package enum Change {
        /// These listeners begin new connections with what their files say now; none when nothing has changed.
        case taken(listeners: [String])
        /// What was in use stays in use, at every listener: the files of these will not do.
        case refused([(listener: String, error: TLSError)])
    }

    /// Reads the files again of the listeners where one has changed, and takes all of them or none.
    package func reloadChanged() -> Change {
        let (entries, rejected) = state.withLock { ($0.entries, $0.rejected) }
        var changed: [String: [FileStamp?]] = [:]
        for (name, entry) in entries {
            let stamps = Self.stamps(of: entry.files)
            if stamps != entry.stamps { changed[name] = stamps }
        }
        guard !changed.isEmpty, changed != rejected else { return .taken(listeners: []) }
        let names = changed.keys.sorted()
        var next: [String: Entry] = [:]
        var faults: [(listener: String, error: TLSError)] = []
        for name in names {
            guard let entry = entries[name] else { continue }
            do {
                next[name] = try Self.read(entry.files)
            } catch {
                faults.append((name, error))
            }
        }
        let isUpToDate = state.withLock { state in
            // A reload may have taken others meanwhile.
            guard names.allSatisfy({ state.entries[$0]?.context === entries[$0]?.context }) else { return false }
            state.rejected = faults.isEmpty ? [:] : changed
            if faults.isEmpty { state.entries.merge(next) { $1 } }
            return true
        }
        guard isUpToDate else { return .taken(listeners: []) }
        return faults.isEmpty ? .taken(listeners: names) : .refused(faults)
    }

    /// When the first of the certificates in use ends (s since 1970), those that signed them among them; nil without TLS.
    package var notAfter: Double? { state.withLock { $0.entries.values.lazy.map(\.notAfter).min() } }

    /// The same for each listener.
    package var endings: [(listener: String, notAfter: Double)] {
        state.withLock { state in state.entries.sorted { $0.key < $1.key }.map { ($0.key, $0.value.notAfter) } }
    }

    /// What a new connection of a listener begins with; nil where there is no TLS.
    func makeHandler(for listener: ListenerOptions) -> NIOSSLServerHandler? {
        guard listener.tls != nil else { return nil }
        guard let context = state.withLock({ $0.entries[listener.name]?.context }) else {
            preconditionFailure("Cannot serve \(listener.name) when its certificate was not read")
        }
        return NIOSSLServerHandler(context: context)
    }

    private static func read(_ listeners: [ListenerOptions]) throws(TLSError) -> [String: Entry] {
        var entries: [String: Entry] = [:]
        for listener in listeners {
            if let files = listener.tls { entries[listener.name] = try read(files) }
        }
        return entries
    }

    /// The stamps are those from before: what changes meanwhile is read once more.
    private static func read(_ files: TLSFiles) throws(TLSError) -> Entry {
        let stamps = Self.stamps(of: files)
        let (context, notAfter) = try makeContext(files)
        return Entry(files: files, context: context, stamps: stamps, notAfter: notAfter)
    }

    private static func stamps(of files: TLSFiles) -> [FileStamp?] {
        [files.certificate, files.key, files.clientAuthority].map { $0.flatMap { FileStamp(of: $0) } }
    }

    private static func makeContext(
        _ files: TLSFiles
    ) throws(TLSError) -> (context: NIOSSLContext, notAfter: Double) {
        let chain = try reading(files.certificate, "certificate") { file in try NIOSSLCertificate.fromPEMFile(file) }
        guard !chain.isEmpty else {
            throw TLSError(file: files.certificate, reason: "there is no certificate in it (PEM)")
        }
        let key = try reading(files.key, "key") { file in try NIOSSLPrivateKey(file: file, format: .pem) }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        if let file = files.clientAuthority, files.clientCertificates != .none {
            let authorities = try reading(file, "certificate") { file in try NIOSSLCertificate.fromPEMFile(file) }
            configuration.trustRoots = .certificates(authorities)
            configuration.certificateVerification =
                files.clientCertificates == .optional ? .optionalVerification : .noHostnameVerification
        }
        do {
            let notAfter = chain.map { Double($0.notValidAfter) }.min() ?? 0
            return (try NIOSSLContext(configuration: configuration), notAfter)
        } catch {
            throw TLSError(file: files.key, reason: "it is not the key of the certificate in \(files.certificate)")
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

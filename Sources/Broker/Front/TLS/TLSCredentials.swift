import Foundation
import NIOSSL
import Synchronization

/// What TLS connections begin with, by listener, as the files were when they were last read.
///
/// They are read again all or nothing: where some of what has changed together will not do, what was in use stays. What changes
/// later is not held back by that, or one broken file would keep all others from ever being renewed. Connections that are
/// open keep what they have.
package final class TLSCredentials: Sendable {
    private struct Entry {
        let files: TLSFiles
        let context: NIOSSLContext
        /// What the files were before they were read.
        let stamps: [FileStamp?]
        /// When the certificate ends (s since 1970).
        let notAfter: Double
    }
    /// A listener's files that had changed and were not taken. They are not read again before they, or those that would not do
    /// among what had changed with them, change once more.
    private struct Refusal {
        let stamps: [FileStamp?]
        /// The same for all that had changed together.
        let number: Int
        /// Why these would not do; nil when it was others.
        let error: TLSError?
    }
    private struct State {
        var entries: [String: Entry] = [:]
        var refusals: [String: Refusal] = [:]
        /// When it was told last that some are refused (s since 1970).
        var toldAt = 0.0
    }
    /// So often it is told that some still are (s).
    private static let reminderPeriod = 3600.0
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
            state.refusals = [:]
        }
    }

    /// What came of a look at the files.
    package enum Change {
        /// These listeners begin new connections with what their files say now; none when nothing has changed.
        case taken(listeners: [String])
        /// The files of these will not do, and those of others that had changed with them are held back: what was in use stays
        /// in use at all of them.
        case refused(_ faults: [(listener: String, error: TLSError)], heldBack: [String])
    }

    /// Reads the files again of the listeners where one has changed, and takes all of them or none. What is refused is told
    /// once in an hour for as long as it is.
    package func reloadChanged() -> Change { reloadChanged(now: Date().timeIntervalSince1970) }

    /// The same; `now` is in seconds since 1970.
    package func reloadChanged(now: Double) -> Change {
        let (entries, refusals) = state.withLock { ($0.entries, $0.refusals) }
        var changed: [String: [FileStamp?]] = [:]
        for (name, entry) in entries {
            let stamps = Self.stamps(of: entry.files)
            if stamps != entry.stamps { changed[name] = stamps }
        }
        let standing = refusals.filter { changed[$0.key] == $0.value.stamps }
        let broken = Set(standing.values.filter { $0.error != nil }.map(\.number))
        let names = changed.keys.sorted().filter { name in
            guard let refusal = standing[name] else { return true }
            return !broken.contains(refusal.number)
        }
        guard !names.isEmpty else { return remind(of: standing, now: now) }
        var next: [String: Entry] = [:]
        var faults: [String: TLSError] = [:]
        for name in names {
            guard let entry = entries[name] else { continue }
            do {
                next[name] = try Self.read(entry.files)
            } catch {
                faults[name] = error
            }
        }
        var refused: [String: Refusal] = [:]
        if !faults.isEmpty {
            let number = (refusals.values.map(\.number).max() ?? 0) + 1
            for name in names {
                refused[name] = Refusal(stamps: changed[name] ?? [], number: number, error: faults[name])
            }
        }
        let isUpToDate = state.withLock { state in
            // A reload may have taken others meanwhile.
            guard names.allSatisfy({ state.entries[$0]?.context === entries[$0]?.context }) else { return false }
            state.refusals = standing.filter { !names.contains($0.key) }.merging(refused) { $1 }
            if refused.isEmpty { state.entries.merge(next) { $1 } } else { state.toldAt = now }
            return true
        }
        guard isUpToDate else { return .taken(listeners: []) }
        return refused.isEmpty ? .taken(listeners: names) : Self.change(refused)
    }

    /// Says once in an hour what is still refused.
    private func remind(of refusals: [String: Refusal], now: Double) -> Change {
        let isDue = state.withLock { state in
            guard !refusals.isEmpty, !state.refusals.isEmpty, now - state.toldAt >= Self.reminderPeriod else {
                return false
            }
            state.toldAt = now
            return true
        }
        return isDue ? Self.change(refusals) : .taken(listeners: [])
    }

    private static func change(_ refusals: [String: Refusal]) -> Change {
        var faults: [(listener: String, error: TLSError)] = []
        var heldBack: [String] = []
        for (name, refusal) in refusals.sorted(by: { $0.key < $1.key }) {
            if let error = refusal.error { faults.append((name, error)) } else { heldBack.append(name) }
        }
        return .refused(faults, heldBack: heldBack)
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

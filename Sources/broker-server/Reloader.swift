import BrokerFront
import Logging
import Synchronization

/// Reads the configuration again and applies what can be applied while the broker runs: all of it, or nothing.
final class Reloader: Sendable {
    private let sources: ConfigurationSources
    private let server: BrokerServer
    private let credentials: TLSCredentials?
    private let level: LiveLogLevel
    private let notifier: ServiceNotifier
    private let metrics: ServerMetrics
    private let logger: Logger
    /// What holds; the lock also keeps reloads apart.
    private let running: Mutex<Settings>

    /// Of a broker that was started with `settings`, which came from `sources`.
    init(
        sources: ConfigurationSources, settings: Settings, server: BrokerServer, credentials: TLSCredentials?,
        level: LiveLogLevel, notifier: ServiceNotifier, metrics: ServerMetrics,
        logger: Logger
    ) {
        self.sources = sources
        self.server = server
        self.credentials = credentials
        self.level = level
        self.notifier = notifier
        self.metrics = metrics
        self.logger = logger
        running = Mutex(settings)
    }

    /// Reads and applies; says what was applied and what has to wait for a restart. On an error what holds stays as it is.
    func reload(because cause: String) throws -> String {
        notifier.tell(.reloading)
        defer { notifier.tell(.ready) }
        do {
            let report = try running.withLock { try reload(&$0) }
            metrics.noteReload()
            logger.notice("configuration reloaded", metadata: ["because": "\(cause)", "result": "\(report)"])
            return report
        } catch {
            logger.error(
                "kept the configuration that holds", metadata: ["because": "\(error)", "asked by": "\(cause)"])
            throw error
        }
    }

    /// Reads the files of TLS again if they have changed.
    func reloadCertificates() {
        guard let credentials, credentials.haveChanged else { return }
        do {
            try credentials.reload()
            logger.notice("read the certificate again", metadata: ["because": "the files have changed"])
        } catch {
            logger.error("kept the certificate that is in use", metadata: ["because": "\(error)"])
        }
    }

    private func reload(_ running: inout Settings) throws -> String {
        let next = try sources.load()
        // Whatever can fail goes first.
        if let tls = next.broker.tls, let credentials { try credentials.reload(tls) }
        let changed = Setting.all.filter { $0.get(next) != $0.get(running) }
        // TLS as such begins and ends with the broker.
        let isTLSNew = (next.broker.tls == nil) != (credentials == nil)
        let live = changed.filter { $0.effect == .atReload && !(isTLSNew && $0.group == "tls") }
        let waiting = changed.filter { setting in !live.contains { $0.name == setting.name } }
        var applied = live.map(\.name)
        if next.broker.policies != running.broker.policies { applied.append("channels") }
        if credentials != nil, next.broker.tls != nil { applied.append("the files of TLS") }

        level.set(next.logLevel)
        server.reload(next.broker)
        running.logLevel = next.logLevel
        running.broker.allowedOrigins = next.broker.allowedOrigins
        running.broker.policies = next.broker.policies
        running.broker.connections = next.broker.connections
        if !isTLSNew { running.broker.tls?.takeFiles(of: next.broker.tls) }
        let hasNewRules = next.broker.access.rules != running.broker.access.rules
        let later = waiting.map(\.name) + (hasNewRules ? ["who may publish and subscribe to channels"] : [])
        return "applied: \(Self.list(applied)); needs a restart: \(Self.list(later))"
    }

    private static func list(_ names: [String]) -> String {
        names.isEmpty ? "nothing" : names.joined(separator: ", ")
    }
}

extension TLSListener {
    /// The files of another configuration, at the same address.
    fileprivate mutating func takeFiles(of other: TLSListener?) {
        guard let other else { return }
        certificateFile = other.certificateFile
        keyFile = other.keyFile
        clientAuthorityFile = other.clientAuthorityFile
    }
}

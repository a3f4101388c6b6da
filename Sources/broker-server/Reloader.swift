import BrokerCore
import BrokerFront
import Logging

/// Reads the configuration again, and the files that it names, and applies what can be applied while the broker runs:
/// all of it, or nothing.
actor Reloader {
    private let sources: ConfigurationSources
    private let server: BrokerServer
    private let credentials: TLSCredentials
    private let keyring: TokenKeyring
    private let revocations: RevocationList
    private let level: LiveLogLevel
    private let notifier: ServiceNotifier
    private let metrics: ServerMetrics
    private let watch: CertificateWatch
    private let logger: Logger
    /// What holds.
    private var running: Settings
    /// The reload that was asked for last: the next one waits for it.
    private var last: Task<String, any Error>?

    /// Of a broker that was started with `settings`, which came from `sources`.
    init(
        sources: ConfigurationSources, settings: Settings, server: BrokerServer, credentials: TLSCredentials,
        keyring: TokenKeyring, revocations: RevocationList, level: LiveLogLevel, notifier: ServiceNotifier,
        metrics: ServerMetrics,
        logger: Logger
    ) {
        self.sources = sources
        self.server = server
        self.credentials = credentials
        self.keyring = keyring
        self.revocations = revocations
        self.level = level
        self.notifier = notifier
        self.metrics = metrics
        self.logger = logger
        watch = CertificateWatch(credentials, logger: logger)
        running = settings
    }

    /// Reads and applies; says what was applied and what has to wait for a restart. On an error what holds stays as it is.
    func reload(because cause: String) async throws -> String {
        let before = last
        let task = Task {
            _ = await before?.result
            return try await readAndApply(because: cause)
        }
        last = task
        // A stop does not wait for a provider of keys that does not answer.
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    private func readAndApply(because cause: String) async throws -> String {
        notifier.tell(.reloading)
        defer { notifier.tell(.ready) }
        do {
            let report = try await reload()
            metrics.noteReload()
            logger.notice("configuration reloaded", metadata: ["because": "\(cause)", "result": "\(report)"])
            return report
        } catch {
            logger.error(
                "kept the configuration that holds", metadata: ["because": "\(error)", "asked by": "\(cause)"])
            throw error
        }
    }

    /// Reads the files of TLS again that have changed together, all or nothing; says when a certificate ends soon.
    nonisolated func reloadCertificates() {
        switch credentials.reloadChanged() {
        case .taken(let listeners):
            for listener in listeners {
                logger.notice(
                    "read the certificate again",
                    metadata: ["listener": "\(listener)", "because": "the files have changed"])
            }
        case .refused(let faults, let heldBack):
            for (listener, error) in faults {
                var metadata: Logger.Metadata = ["listener": "\(listener)", "because": "\(error)"]
                if !heldBack.isEmpty { metadata["held back"] = "\(heldBack.joined(separator: ", "))" }
                logger.error("kept the certificates that are in use", metadata: metadata)
            }
        }
        watch.look()
    }

    private func reload() async throws -> String {
        let next = try sources.load()
        let listeners = ListenerChanges(from: running, to: next)
        let live = Setting.all.filter { $0.effect == .atReload && !(listeners.isTLSGroupNew && $0.group == "tls") }
        // What has to wait for a restart is not in it.
        var taken = running
        for setting in live { setting.take(&taken, next) }
        taken.broker.policies = next.broker.policies
        taken.broker.access.rules = next.broker.access.rules
        listeners.takeFiles(into: &taken)
        // Whatever can fail goes first.
        let keys = try await keyring.prepare(taken.broker, mayComeLater: false)
        let revoked = try revocations.read()
        try credentials.reload(next.broker.listeners)
        let changed = Setting.all.filter { $0.get(next) != $0.get(running) }
        let takes = Set(live.map(\.name))
        var applied = changed.map(\.name).filter(takes.contains) + listeners.applied
        if next.broker.policies != running.broker.policies { applied.append("channels") }
        let hasNewRules = next.broker.access.rules != running.broker.access.rules
        if hasNewRules { applied.append("who may publish and subscribe to channels") }
        if keyring.isNew(keys), !applied.contains("auth.keys") { applied.append("the files of auth.keys") }
        if keyring.hasNewAuthorities(keys), !applied.contains("auth.key-set-authority") {
            applied.append("the file of auth.key-set-authority")
        }
        if revocations.adopt(revoked) { applied.append("the list of revoked tokens") }
        if !credentials.isEmpty { applied.append("the files of TLS") }
        let hasNewAccess = hasNewRules || changed.contains { $0.group == "auth" && takes.contains($0.name) }

        running = taken
        level.set(running.logLevel)
        keyring.adopt(keys)
        try await server.reload(running.broker)
        if hasNewAccess { AccessSummary(running.broker).log(to: logger) }
        let later = changed.map(\.name).filter { !takes.contains($0) } + listeners.waiting
        return Self.count(applied, "applied") + "; "
            + Self.count(later, later.count == 1 ? "needs a restart" : "need a restart")
    }

    private static func count(_ names: [String], _ what: String) -> String {
        "\(names.count) \(what)" + (names.isEmpty ? "" : ": " + names.joined(separator: ", "))
    }
}

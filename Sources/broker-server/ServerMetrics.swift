import BrokerFront
import Foundation
import Synchronization

/// What `/metrics` tells of the program around the broker: its files, its certificate, its configuration.
final class ServerMetrics: Sendable {
    private let reloadedAt = Mutex(Date())

    /// Adds them to what is shown.
    init(_ registry: MetricsRegistry, database: DatabaseLocation, credentials: TLSCredentials) {
        if case .file(let path) = database {
            registry.watch("fanfare_store_bytes", "Size of the store's files.") {
                [("database", ""), ("wal", "-wal")].map { name, suffix in
                    let attributes = try? FileManager.default.attributesOfItem(atPath: path + suffix)
                    return ([("file", name)], (attributes?[.size] as? NSNumber)?.doubleValue ?? 0)
                }
            }
        }
        if !credentials.isEmpty {
            registry.watch(
                "fanfare_certificate_not_after_timestamp_seconds", "When the first certificate of TLS ends (Unix time)."
            ) { [([], credentials.notAfter ?? 0)] }
        }
        registry.watch(
            "fanfare_config_last_reload_success_timestamp_seconds",
            "When the configuration was last read and applied (Unix time)."
        ) { [([], self.reloadedAt.withLock { $0.timeIntervalSince1970 })] }
    }

    /// The configuration was read again, and holds.
    func noteReload() {
        reloadedAt.withLock { $0 = Date() }
    }
}

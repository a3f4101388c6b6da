import Foundation
package import Logging
import Synchronization

/// Says in the log that a certificate ends soon, or has ended: at the start, once in a day, and of a new one at once.
package final class CertificateWatch: Sendable {
    /// So long before its end a certificate is spoken of.
    static let notice = 14.0 * day
    private static let day = 86_400.0

    private struct Warned {
        let notAfter: Double
        let at: Double
    }
    private let endings: @Sendable () -> [(listener: String, notAfter: Double)]
    private let logger: Logger
    private let warned = Mutex<[String: Warned]>([:])

    /// Watches what `credentials` have in use.
    package convenience init(_ credentials: TLSCredentials, logger: Logger) {
        self.init(logger: logger) { credentials.endings }
    }

    init(logger: Logger, endings: @escaping @Sendable () -> [(listener: String, notAfter: Double)]) {
        self.endings = endings
        self.logger = logger
    }

    /// Looks once.
    package func look() { look(now: Date().timeIntervalSince1970) }

    /// Looks once; `now` is in seconds since 1970.
    func look(now: Double) {
        for (listener, notAfter) in endings() where notAfter - now < Self.notice && mayWarn(listener, notAfter, now) {
            let metadata: Logger.Metadata = [
                "listener": "\(listener)", "ends": "\(Timestamp.text(Int64(notAfter) * 1000))",
            ]
            if notAfter > now {
                logger.warning("a certificate ends soon", metadata: metadata)
            } else {
                logger.error("a certificate has ended, and clients refuse it", metadata: metadata)
            }
        }
    }

    private func mayWarn(_ listener: String, _ notAfter: Double, _ now: Double) -> Bool {
        warned.withLock { warned in
            if let last = warned[listener], last.notAfter == notAfter, (last.notAfter > last.at) == (notAfter > now),
                now - last.at < Self.day
            {
                return false
            }
            warned[listener] = Warned(notAfter: notAfter, at: now)
            return true
        }
    }
}

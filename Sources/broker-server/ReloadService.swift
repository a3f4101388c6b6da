import BrokerFront
import Logging
import ServiceLifecycle
import UnixSignals

/// Reads the files of TLS again: on SIGHUP, and when they have changed.
struct ReloadService: Service {
    /// How often it looks whether they have.
    private static let period = Duration.seconds(10)

    let credentials: TLSCredentials
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    for await _ in await UnixSignalsSequence(trapping: .sighup) { reload("SIGHUP") }
                }
                group.addTask {
                    while (try? await Task.sleep(for: Self.period)) != nil {
                        if credentials.haveChanged { reload("the files have changed") }
                    }
                }
            }
        }
    }

    private func reload(_ cause: String) {
        do {
            try credentials.reload()
            logger.notice("read the certificate again", metadata: ["because": "\(cause)"])
        } catch {
            logger.error("kept the certificate that is in use", metadata: ["because": "\(error)"])
        }
    }
}

import Logging
import ServiceLifecycle
import UnixSignals

/// Has the configuration read again on SIGHUP, and the files of TLS when they have changed.
struct ReloadService: Service {
    /// How often it looks whether they have.
    private static let period = Duration.seconds(10)

    let reloader: Reloader
    /// Trapped since before anything else was done, so that none ends the process.
    let hangups: UnixSignalsSequence
    /// Ends when the broker has started: before that there is nothing to apply a configuration to.
    let start: AsyncStream<Never>

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    for await _ in start {}
                    // What is wrong is in the log.
                    for await _ in hangups {
                        _ = try? await reloader.reload(because: "SIGHUP")
                    }
                }
                group.addTask {
                    repeat { reloader.reloadCertificates() } while (try? await Task.sleep(for: Self.period)) != nil
                }
            }
        }
    }
}

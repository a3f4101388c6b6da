import Foundation
import ServiceLifecycle
import UnixSignals

/// Tells the service manager that the broker stops, and ends the program at once when it is told a second time.
struct LifeCycleService: Service {
    let notifier: ServiceNotifier

    func run() async throws {
        try? await gracefulShutdown()
        // Before anybody hears that it stops, so that the next signal is not missed.
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        notifier.tell(.stopping)
        // Not awaited: the group ends without it unless there is a second signal.
        Task.detached {
            for await signal in signals {
                // What was acknowledged is in the store, as after a crash.
                _exit(128 + (signal == .sigterm ? SIGTERM : SIGINT))
            }
        }
    }
}

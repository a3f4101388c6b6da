import BrokerFront
import ServiceLifecycle

/// Tells the service manager, where it wants to hear that, that the broker is alive: as long as its parts answer.
struct WatchdogService: Service {
    let notifier: ServiceNotifier
    let server: BrokerServer

    func run() async throws {
        guard let period = notifier.watchdogPeriod else {
            // The group ends when one of its services does.
            try? await gracefulShutdown()
            return
        }
        await cancelWhenGracefulShutdown {
            // Twice as often as it takes (sd_watchdog_enabled(3)).
            while (try? await Task.sleep(for: period / 2)) != nil {
                if await server.isAlive(within: period / 2) { notifier.tell(.alive) }
            }
        }
    }
}

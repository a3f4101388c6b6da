import ServiceLifecycle

/// Tells the service manager, where it wants to hear that, that the broker is alive: as long as its parts answer.
struct WatchdogService: Service {
    let notifier: ServiceNotifier
    /// Whether its parts answer within a time.
    let isAlive: @Sendable (Duration) async -> Bool

    func run() async throws {
        guard let period = notifier.watchdogPeriod else {
            // The group ends when one of its services does.
            try? await gracefulShutdown()
            return
        }
        await cancelWhenGracefulShutdown {
            // Four times as often as it takes: one beat that fails, for which a quarter is waited, and the next one that comes
            // as late as it may, are still in time (sd_watchdog_enabled(3) asks for twice as often).
            let beat = period / 4
            var next = ContinuousClock.now
            repeat {
                next = max(next + beat, .now)
                if await isAlive(beat) { notifier.tell(.alive) }
            } while (try? await Task.sleep(until: next)) != nil
        }
    }
}

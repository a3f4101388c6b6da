import Synchronization
import Testing

@testable import broker_server

/// The service manager hears that the broker is alive only while it is. (What that means: HangingPartTests.)
@Suite(.timeLimit(.minutes(10)))
struct WatchdogTests {
    @Test("Nothing is told while a part does not answer, and again when it does")
    func silence() async throws {
        let folder = try TemporaryFolder()
        let notices = try NotificationSocket(at: folder.path("notify"))
        let notifier = ServiceNotifier(environment: ["NOTIFY_SOCKET": folder.path("notify"), "WATCHDOG_USEC": "40000"])
        let answers = Mutex([true, false, false, true, false][...])
        let service = WatchdogService(notifier: notifier) { limit in
            // Nobody waits for the answer longer than until the next one is due.
            #expect(limit == .milliseconds(10))
            guard let answer = answers.withLock({ $0.popFirst() }) else { return false }
            // Each question is to be seen among what is told.
            notifier.tell(.ready)
            return answer
        }
        let running = Task { try await service.run() }
        var told: [String] = []
        while told.count(where: { $0 == "READY=1" }) < 5 { told.append(try notices.next()) }
        running.cancel()
        try await running.value
        #expect(told == ["READY=1", "WATCHDOG=1", "READY=1", "READY=1", "READY=1", "WATCHDOG=1", "READY=1"])
    }
}

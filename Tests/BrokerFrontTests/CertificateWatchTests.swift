import Logging
import Synchronization
import Testing

@testable import BrokerFront

/// When the log speaks of a certificate's end.
@Suite("The end of certificates")
struct CertificateWatchTests {
    private static func take(_ log: RecordedLog) -> [String] {
        log.take().map { "\($0.level) \($0.fields["listener"] ?? "") \($0.fields["ends"] ?? "")" }
    }

    @Test("Two weeks before it, once in a day, then that it is over; and not of one that was renewed")
    func days() {
        let day = 86_400.0
        let log = RecordedLog()
        let notAfter = Mutex(100 * day)
        let watch = CertificateWatch(logger: log.logger) {
            [("a", notAfter.withLock { $0 }), ("b", 1000 * day)]
        }
        let soon = "warning a 1970-04-11T00:00:00.000Z"
        watch.look(now: 86 * day)
        #expect(Self.take(log) == [])
        watch.look(now: 86 * day + 1)
        #expect(Self.take(log) == [soon])
        watch.look(now: 87 * day)
        #expect(Self.take(log) == [])
        watch.look(now: 87 * day + 1)
        #expect(Self.take(log) == [soon])
        watch.look(now: 100 * day - 1)
        #expect(Self.take(log) == [soon])
        watch.look(now: 100 * day)
        #expect(Self.take(log) == ["error a 1970-04-11T00:00:00.000Z"])
        // Renewed, but not for long.
        notAfter.withLock { $0 = 101 * day }
        watch.look(now: 100 * day + 1)
        #expect(Self.take(log) == ["warning a 1970-04-12T00:00:00.000Z"])
        notAfter.withLock { $0 = 200 * day }
        watch.look(now: 102 * day)
        #expect(Self.take(log) == [])
    }
}

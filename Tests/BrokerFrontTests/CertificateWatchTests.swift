import Logging
import Synchronization
import Testing

@testable import BrokerFront

/// When the log speaks of a certificate's end.
@Suite("The end of certificates")
struct CertificateWatchTests {
    private final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        func append(_ line: String) { lines.withLock { $0.append(line) } }
        func take() -> [String] {
            lines.withLock { lines in
                defer { lines = [] }
                return lines
            }
        }
    }

    private struct Handler: LogHandler {
        let lines: Lines
        var metadata = Logger.Metadata()
        var logLevel = Logger.Level.trace
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            lines.append("\(event.level) \(event.metadata?["listener"] ?? "") \(event.metadata?["ends"] ?? "")")
        }
    }

    @Test("Two weeks before it, once in a day, then that it is over; and not of one that was renewed")
    func days() {
        let day = 86_400.0
        let lines = Lines()
        let notAfter = Mutex(100 * day)
        let watch = CertificateWatch(logger: Logger(label: "test") { _ in Handler(lines: lines) }) {
            [("a", notAfter.withLock { $0 }), ("b", 1000 * day)]
        }
        let soon = "warning a 1970-04-11T00:00:00.000Z"
        watch.look(now: 86 * day)
        #expect(lines.take() == [])
        watch.look(now: 86 * day + 1)
        #expect(lines.take() == [soon])
        watch.look(now: 87 * day)
        #expect(lines.take() == [])
        watch.look(now: 87 * day + 1)
        #expect(lines.take() == [soon])
        watch.look(now: 100 * day - 1)
        #expect(lines.take() == [soon])
        watch.look(now: 100 * day)
        #expect(lines.take() == ["error a 1970-04-11T00:00:00.000Z"])
        // Renewed, but not for long.
        notAfter.withLock { $0 = 101 * day }
        watch.look(now: 100 * day + 1)
        #expect(lines.take() == ["warning a 1970-04-12T00:00:00.000Z"])
        notAfter.withLock { $0 = 200 * day }
        watch.look(now: 102 * day)
        #expect(lines.take() == [])
    }
}

import BrokerCore
import Logging
import Synchronization
import Testing

@testable import BrokerFront

/// What the log says of a store that fails: that it does, now and then that it still does, and that it works again.
@Suite("A store that fails")
struct StoreWatchTests {
    private static let second: UInt64 = 1_000_000_000
    private let start = 7 * second
    private let full = StoreError(.full, what: "/a.db", reason: "the disk is full", remedy: "Make room")
    private let sync = StoreError(.failedSync, what: "/a.db", reason: "the disk failed to sync")

    @Test
    func onceAndThenOnceAMinute() {
        var watch = StoreWatch()
        #expect(!watch.isFailing)
        #expect(watch.fail(full, now: start) == .fails(full))
        #expect(watch.isFailing)
        for second in UInt64(0)..<60 { #expect(watch.fail(full, now: start + second * Self.second) == nil) }
        #expect(watch.fail(full, now: start + 60 * Self.second) == .stillFails(full, count: 61))
        #expect(watch.fail(full, now: start + 61 * Self.second) == nil)
        #expect(watch.fail(full, now: start + 120 * Self.second) == .stillFails(full, count: 2))
    }

    @Test
    func anotherKindIsToldAtOnce() {
        var watch = StoreWatch()
        #expect(watch.fail(full, now: start) == .fails(full))
        #expect(watch.fail(sync, now: start + 1) == .fails(sync))
        #expect(watch.fail(sync, now: start + 2) == nil)
    }

    /// A disk that is nearly full takes one thing and not the next.
    @Test
    func worksAgainAfterARest() {
        var watch = StoreWatch()
        #expect(watch.succeed(now: start) == nil)
        _ = watch.fail(full, now: start)
        _ = watch.fail(full, now: start + 2 * Self.second)
        #expect(watch.succeed(now: start + 6 * Self.second) == nil)
        #expect(watch.isFailing)
        #expect(watch.succeed(now: start + 7 * Self.second) == .works(count: 2, seconds: 7))
        #expect(!watch.isFailing)
        #expect(watch.fail(full, now: start + 8 * Self.second) == .fails(full))
    }

    private final class Lines: Sendable {
        let all = Mutex<[(level: Logger.Level, message: String, fields: Logger.Metadata)]>([])
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
            lines.all.withLock { $0.append((event.level, "\(event.message)", event.metadata ?? [:])) }
        }
    }

    @Test
    func linesSayWhatComesOfIt() {
        let lines = Lines()
        let logger = Logger(label: "test") { _ in Handler(lines: lines) }
        for news in [.fails(full), .stillFails(sync, count: 3), .works(count: 4, seconds: 5)] as [StoreWatch.News] {
            news.log(to: logger)
        }
        let all = lines.all.withLock { $0 }
        #expect(all.map(\.level) == [.error, .error, .notice])
        #expect(all.map(\.message) == ["the store fails", "the store still fails", "the store works again"])
        #expect(all[0].fields["reason"] == "the disk is full" && all[0].fields["remedy"] == "Make room")
        #expect(all[0].fields["consequence"]?.description.contains("refused") == true)
        #expect(all[1].fields["consequence"]?.description.contains("until the broker is started again") == true)
        #expect(all[1].fields["failures"] == "3" && all[2].fields["failures"] == "4")
    }
}

import BrokerCore
import Logging
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

    @Test
    func linesSayWhatComesOfIt() {
        let log = RecordedLog()
        for news in [.fails(full), .stillFails(sync, count: 3), .works(count: 4, seconds: 5)] as [StoreWatch.News] {
            news.log(to: log.logger)
        }
        let all = log.take()
        #expect(all.map(\.level) == [.error, .error, .notice])
        #expect(all.map(\.message) == ["the store fails", "the store still fails", "the store works again"])
        #expect(all[0].fields["reason"] == "the disk is full" && all[0].fields["remedy"] == "Make room")
        #expect(all[0].fields["consequence"]?.description.contains("refused") == true)
        #expect(all[1].fields["consequence"]?.description.contains("until the broker is started again") == true)
        #expect(all[1].fields["failures"] == "3" && all[2].fields["failures"] == "4")
    }
}

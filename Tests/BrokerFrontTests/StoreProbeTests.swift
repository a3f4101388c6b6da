import BrokerCore
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import BrokerFront

/// When the store is tried, and who hears what came of it.
@Suite("Probes of the store")
struct StoreProbeTests {
    private static let full = StoreError(.full, what: "/a.db", reason: "the disk is full", remedy: "Make room")

    /// A probe on a loop whose time stands still.
    private final class Probed {
        let log = RecordedLog()
        let loop = EmbeddedEventLoop()
        private(set) var tryCount = 0
        /// What those who asked were told; nil is that the store can write.
        private(set) var heard: [StoreError?] = []
        private(set) lazy var probe = StoreProbe(eventLoop: loop, logger: log.logger) { [weak self] in
            self?.tryCount += 1
        }

        func ask() {
            probe.ask { self.heard.append($0) }
        }

        /// The store has answered.
        func answer(_ error: StoreError?) {
            probe.receive(error)
            loop.run()
        }
    }

    @Test("Those who ask meanwhile get the same answer, which holds for a second")
    func once() {
        let store = Probed()
        for _ in 0..<3 { store.ask() }
        #expect(store.tryCount == 1)
        store.probe.receive(Self.full)
        #expect(store.heard.isEmpty, "later: the outbox is being sorted")
        store.loop.run()
        #expect(store.heard == [Self.full, Self.full, Self.full])
        store.loop.advanceTime(by: .nanoseconds(999_999_999))
        store.ask()
        #expect(store.tryCount == 1)
        #expect(store.heard.count == 4)
        store.loop.advanceTime(by: .nanoseconds(1))
        store.ask()
        #expect(store.tryCount == 2)
        store.answer(nil)
        #expect(store.heard == [Self.full, Self.full, Self.full, Self.full, nil])
    }

    @Test("A store that fails is tried every five seconds until it has written, and then no more")
    func trials() {
        let store = Probed()
        #expect(!store.probe.isFailing)
        for _ in 0..<3 { store.probe.noteFailure(Self.full) }
        #expect(store.probe.isFailing)
        for number in 1...3 {
            store.loop.advanceTime(by: .nanoseconds(4_999_999_999))
            #expect(store.tryCount == number - 1)
            store.loop.advanceTime(by: .nanoseconds(1))
            #expect(store.tryCount == number)
            if number < 3 { store.answer(Self.full) }
        }
        store.answer(nil)
        #expect(!store.probe.isFailing)
        store.loop.advanceTime(by: .seconds(60))
        #expect(store.tryCount == 3)
        #expect(store.log.take().map(\.message) == ["the store fails", "the store works again"])
    }

    @Test("One that has stopped tries nothing any more")
    func stop() {
        let store = Probed()
        store.probe.noteFailure(Self.full)
        store.probe.stop()
        store.probe.noteFailure(Self.full)
        store.loop.advanceTime(by: .seconds(60))
        #expect(store.tryCount == 0)
    }
}

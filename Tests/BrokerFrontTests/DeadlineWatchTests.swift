import Testing

@testable import BrokerFront

@Suite struct DeadlineWatchTests {
    private final class Connection: GuardedConnection {
        var watchPlace: UInt32?
        var looks: [UInt64] = []
        var onLook: () -> Void = {}

        func keepDeadlines(now: UInt64) {
            looks.append(now)
            onLook()
        }
        func goAway() {}
    }

    private static func connections(_ count: Int, in watch: DeadlineWatch) -> [Connection] {
        let connections = (0..<count).map { _ in Connection() }
        for connection in connections { watch.add(connection) }
        return connections
    }

    /// All that is looked at in one period.
    private static func look(at watch: DeadlineWatch, now: UInt64) {
        watch.begin()
        watch.look(now: now)
    }

    @Test(arguments: [1, DeadlineWatch.few]) func `a few are looked at each time`(count: Int) {
        let watch = DeadlineWatch()
        Self.look(at: watch, now: 1)
        let connections = Self.connections(count, in: watch)
        for now: UInt64 in 2...3 { Self.look(at: watch, now: now) }
        #expect(connections.allSatisfy { $0.looks == [2, 3] })
    }

    @Test(arguments: [DeadlineWatch.few + 1, DeadlineWatch.few * DeadlineWatch.turns + 1, 10_000])
    func `many are looked at by turns`(count: Int) {
        let watch = DeadlineWatch()
        let connections = Self.connections(count, in: watch)
        for now in 1...UInt64(DeadlineWatch.turns) { Self.look(at: watch, now: now) }
        #expect(connections.allSatisfy { !$0.looks.isEmpty })
        let most = connections.map(\.looks.count).max() ?? 0
        let least = connections.map(\.looks.count).min() ?? 0
        #expect(most - least <= 1)
        let inAll = connections.map(\.looks.count).reduce(0, +)
        #expect(inAll <= max(count + DeadlineWatch.turns, DeadlineWatch.few * DeadlineWatch.turns))
    }

    @Test func `those that go hide nobody`() {
        let watch = DeadlineWatch()
        let connections = Self.connections(8_000, in: watch)
        // One in two ends when it is looked at, and one of those takes another with it.
        for (number, connection) in connections.enumerated() where number % 2 == 0 {
            connection.onLook = { [unowned connection] in
                watch.remove(connection)
                if number % 4 == 0 { watch.remove(connections[(number + 4_001) % 8_000]) }
            }
        }
        for now in 1...UInt64(2 * DeadlineWatch.turns) { Self.look(at: watch, now: now) }
        #expect(watch.count == 2_000)
        for (number, connection) in connections.enumerated() {
            let isTaken = (number + 8_000 - 4_001) % 8_000 % 4 == 0
            if number % 2 == 0 {
                #expect(connection.looks.count == 1)
            } else if !isTaken {
                #expect(!connection.looks.isEmpty)
            }
        }
        // Nobody is looked at any more when all have gone.
        for connection in connections { watch.remove(connection) }
        #expect(watch.count == 0)
        Self.look(at: watch, now: .max)
        #expect(connections.allSatisfy { $0.looks.last != .max })
    }

    @Test func `what does not fit into a slice comes in the next one`() {
        let watch = DeadlineWatch()
        let connections = Self.connections(DeadlineWatch.few * 2, in: watch)
        watch.begin()
        var slices: UInt64 = 0
        while slices < 10, connections.map(\.looks.count).reduce(0, +) < DeadlineWatch.few {
            slices += 1
            var left = 300
            watch.look(now: slices) {
                left -= 1
                return left == 0
            }
        }
        #expect(slices == 4)
        for (number, connection) in connections.enumerated() {
            #expect(connection.looks == (number < DeadlineWatch.few ? [UInt64(number / 300 + 1)] : []))
        }
        // Enough for this period: the others have their turn in the next one.
        watch.look(now: 5)
        #expect(connections.allSatisfy { $0.looks.last != 5 })
        Self.look(at: watch, now: 6)
        #expect(connections.suffix(DeadlineWatch.few).allSatisfy { $0.looks == [6] })
    }

    @Test func `what was not looked at in time comes in the next period`() {
        let watch = DeadlineWatch()
        let connections = Self.connections(DeadlineWatch.few * 2, in: watch)
        watch.begin()
        watch.look(now: 1) { true }
        watch.begin()
        watch.look(now: 2)
        #expect(connections.filter { $0.looks == [1] }.count == 1)
        #expect(connections.filter { $0.looks == [2] }.count == DeadlineWatch.few * 2 - 1)
    }
}

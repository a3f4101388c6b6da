import NIOCore

/// A connection that must be looked after: handshakes, requests and pongs have deadlines.
protocol GuardedConnection: AnyObject {
    /// Its place in the watch, nil when it is not there. Only the watch changes it.
    var watchPlace: UInt32? { get set }
    /// Ends what has taken too long (ns, monotonic).
    func keepDeadlines(now: UInt64)
    /// Says goodbye, because the broker stops.
    func goAway()
}

/// All connections of one event loop, whose deadlines are looked at again and again. Not thread-safe: it belongs to its
/// loop.
///
/// A look at a connection that does nothing costs a microsecond, for its memory is in no cache, and one that ends it a
/// hundred. So of many only a part is looked at each time, by turns, and their deadlines are kept to the second; and it is
/// done in slices, between which the loop reads and writes: when very many end at once, it takes longer.
final class DeadlineWatch {
    /// How exactly the deadlines of a few connections are kept.
    private static let period = TimeAmount.milliseconds(250)
    /// So many are a few.
    static let few = 1024
    /// In so many periods each of many connections is looked at once.
    static let turns = 4

    private var guarded: [any GuardedConnection] = []
    /// Whose turn is next.
    private var next = 0
    /// How many are still to be looked at in this period.
    private var dueCount = 0
    private var sweep: RepeatedTask?
    /// When the deadlines are to be looked at next (ns, monotonic).
    private var nextSweep: UInt64?

    /// How many there are.
    var count: Int { guarded.count }

    /// Looks at the deadlines from now on; before that, `noteLag` is told how late the loop came to it (s).
    func start(on eventLoop: any EventLoop, noteLag: @escaping (Double) -> Void) {
        let bound = NIOLoopBound((watch: self, noteLag: noteLag), eventLoop: eventLoop)
        sweep = eventLoop.scheduleRepeatedTask(initialDelay: Self.period, delay: Self.period) { _ in
            let (watch, noteLag) = bound.value
            let now = SystemClock.monotonic
            if let nextSweep = watch.nextSweep { noteLag(Double(now - min(now, nextSweep)) / 1e9) }
            // What is left of the last period goes on by itself.
            let isAtWork = watch.dueCount > 0
            watch.begin()
            if !isAtWork { watch.lookInSlices(on: eventLoop) }
            watch.nextSweep = SystemClock.monotonic + UInt64(Self.period.nanoseconds)
        }
    }

    private func lookInSlices(on eventLoop: any EventLoop) {
        let start = SystemClock.monotonic
        look(now: start) { SystemClock.monotonic - start >= WorkShares.slice }
        if dueCount > 0 { eventLoop.assumeIsolated().executeNextTurn { self.lookInSlices(on: eventLoop) } }
    }

    /// Stops that.
    func stop() {
        sweep?.cancel()
        sweep = nil
        dueCount = 0
    }

    /// A period begins, in which those are looked at whose turn it is: all of them, if they are few; and those that are left
    /// of the last one.
    func begin() {
        dueCount = min(count, dueCount + max(Self.few, (count + Self.turns - 1) / Self.turns))
    }

    /// Looks at those that are still to be looked at in this period, until `isOver` says that it is enough for now.
    func look(now: UInt64, until isOver: () -> Bool = { false }) {
        while dueCount > 0, !guarded.isEmpty {
            dueCount -= 1
            if next >= guarded.count { next = 0 }
            let connection = guarded[next]
            connection.keepDeadlines(now: now)
            // If it has gone, another one is in its place.
            if next < guarded.count, guarded[next] === connection { next += 1 }
            if isOver() { return }
        }
        dueCount = 0
    }

    func add(_ connection: any GuardedConnection) {
        guard connection.watchPlace == nil else { return }
        connection.watchPlace = UInt32(guarded.count)
        guarded.append(connection)
    }

    /// The last one takes its place, and may have to wait for another round.
    func remove(_ connection: any GuardedConnection) {
        guard let place = connection.watchPlace.take() else { return }
        let last = guarded.removeLast()
        guard last !== connection else { return }
        guarded[Int(place)] = last
        last.watchPlace = place
    }

    /// Says goodbye to everybody.
    func sendAway() {
        for connection in guarded { connection.goAway() }
    }
}

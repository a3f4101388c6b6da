import NIOCore

/// A connection that must be looked after: handshakes, requests and pongs have deadlines.
protocol GuardedConnection: AnyObject {
    /// Ends what has taken too long (ns, monotonic).
    func keepDeadlines(now: UInt64)
    /// Says goodbye, because the broker stops.
    func goAway()
}

/// All connections of one event loop, whose deadlines are looked at again and again. Not thread-safe: it belongs to its
/// loop.
final class DeadlineWatch {
    /// How exactly deadlines are kept.
    private static let period = TimeAmount.milliseconds(250)

    private var guarded: [ObjectIdentifier: any GuardedConnection] = [:]
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
            for connection in watch.guarded.values { connection.keepDeadlines(now: now) }
            watch.nextSweep = SystemClock.monotonic + UInt64(Self.period.nanoseconds)
        }
    }

    /// Stops that.
    func stop() {
        sweep?.cancel()
        sweep = nil
    }

    func add(_ connection: any GuardedConnection) {
        guarded[ObjectIdentifier(connection)] = connection
    }

    func remove(_ connection: any GuardedConnection) {
        guarded[ObjectIdentifier(connection)] = nil
    }

    /// Says goodbye to everybody.
    func sendAway() {
        for connection in guarded.values { connection.goAway() }
    }
}

import BrokerCore
import Logging
import NIOCore

/// Finds out whether the store can write: for whoever asks, and by itself, now and then, for as long as it cannot. What is
/// to be said of it is in the log.
///
/// Not thread-safe: it belongs to the router's loop, whose clock it reads.
final class StoreProbe {
    /// So many as may ask, the store is tried once in this time (ns).
    private static let period: UInt64 = 1_000_000_000
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let write: () -> Void
    private var watch = StoreWatch()
    /// Who waits for an answer.
    private var waiting: [(StoreError?) -> Void] = []
    /// What the store said last, and when (ns, monotonic).
    private var last: (at: UInt64, error: StoreError?)?
    private var trial: Scheduled<Void>?
    private var isStopped = false

    /// `write` has the store write something; `receive` is told what came of it.
    init(eventLoop: any EventLoop, logger: Logger, write: @escaping () -> Void) {
        self.eventLoop = eventLoop
        self.logger = logger
        self.write = write
    }

    /// Whether the store has failed, and has not been seen to work since.
    var isFailing: Bool { watch.isFailing }

    private var now: UInt64 { eventLoop.now.uptimeNanoseconds }

    /// Tells whether the store can write, and why not. Those who ask meanwhile get the same answer.
    func ask(_ body: @escaping (StoreError?) -> Void) {
        if let last, now < last.at + Self.period { return body(last.error) }
        waiting.append(body)
        if waiting.count == 1 { write() }
    }

    /// The store has written, or could not.
    func receive(_ error: StoreError?) {
        last = (now, error)
        if error == nil { watch.succeed(now: now)?.log(to: logger) }
        let bodies = waiting
        waiting.removeAll()
        // Later: who is told may send something at once, and the outbox is being sorted.
        eventLoop.assumeIsolated().execute {
            for body in bodies { body(error) }
        }
    }

    /// The store has not done what it was asked; until it does, it is tried, so that whoever looks learns of it.
    func noteFailure(_ error: StoreError) {
        watch.fail(error, now: now)?.log(to: logger)
        tryLater()
    }

    private func tryLater() {
        guard trial == nil, !isStopped else { return }
        trial = eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(Int64(StoreWatch.rest))) {
            self.trial = nil
            self.ask { _ in
                if self.isFailing { self.tryLater() }
            }
        }
    }

    /// Tries nothing by itself any more.
    func stop() {
        trial?.cancel()
        trial = nil
        isStopped = true
    }
}

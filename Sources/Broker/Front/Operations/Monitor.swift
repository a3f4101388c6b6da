import BrokerCore
import NIOCore
import Synchronization

/// Asks the event loops, the router and the store how they are, for those who operate the broker.
final class Monitor: Sendable {
    private struct Parts: Sendable {
        let shards: [NIOLoopBound<Shard>]
        let router: NIOLoopBound<RouterLoop>
    }
    private let parts = Mutex<Parts?>(nil)
    private let draining = Atomic(false)
    /// What other parts of the process have counted by swift-metrics, if anything gathers it.
    let registry: MetricsRegistry?

    init(registry: MetricsRegistry?) {
        self.registry = registry
    }

    /// Makes the parts known; before anybody asks.
    func watch(_ shards: ShardDirectory, _ router: NIOLoopBound<RouterLoop>) {
        parts.withLock { $0 = Parts(shards: shards.all, router: router) }
    }

    /// Whether the broker is about to stop, so that no new client should come.
    var isDraining: Bool { draining.load(ordering: .relaxed) }

    func beginDraining() {
        draining.store(true, ordering: .relaxed)
    }

    /// What all loops and the router have counted, on `eventLoop`.
    func gather(on eventLoop: any EventLoop) -> EventLoopFuture<MetricsSnapshot> {
        guard let parts = parts.withLock({ $0 }) else {
            return eventLoop.makeSucceededFuture(MetricsSnapshot(loops: [], router: nil))
        }
        let loops = parts.shards.map { shard in shard.eventLoop.submit { shard.value.sample } }
        let router = parts.router.eventLoop.submit { parts.router.value.sample }
        return EventLoopFuture.whenAllSucceed(loops, on: eventLoop).and(router).map { loops, router in
            MetricsSnapshot(loops: loops, router: router)
        }
    }

    /// Asks every part for an answer within `limit`, and tells on `eventLoop` what is wrong: nothing when all is well.
    /// Whether the store can write matters only if it `mustWrite`.
    func examine(
        on eventLoop: any EventLoop, within limit: TimeAmount, mustWrite: Bool
    ) -> EventLoopFuture<[String]> {
        guard let parts = parts.withLock({ $0 }) else { return eventLoop.makeSucceededFuture([]) }
        var answers = parts.shards.enumerated().map { number, shard in
            answer(of: "event loop \(number)", on: eventLoop, within: limit) { promise in
                shard.eventLoop.execute { promise.succeed(nil) }
            }
        }
        answers.append(
            answer(of: "the store", on: eventLoop, within: limit) { promise in
                parts.router.eventLoop.execute {
                    parts.router.value.probeStore { error in
                        promise.succeed(mustWrite ? error.map { "the store cannot write: \($0.reason)" } : nil)
                    }
                }
            })
        return EventLoopFuture.whenAllSucceed(answers, on: eventLoop).map { $0.compactMap { $0 } }
    }

    /// What one part answers, or that it does not.
    private func answer(
        of part: String, on eventLoop: any EventLoop, within limit: TimeAmount,
        _ ask: (EventLoopPromise<String?>) -> Void
    ) -> EventLoopFuture<String?> {
        let (asked, first) = (eventLoop.makePromise(of: String?.self), eventLoop.makePromise(of: String?.self))
        let timer = eventLoop.scheduleTask(in: limit) {
            first.succeed("\(part) has not answered for \(limit.nanoseconds / 1_000_000_000) s")
        }
        asked.futureResult.whenSuccess { problem in
            timer.cancel()
            first.succeed(problem)
        }
        ask(asked)
        return first.futureResult
    }
}

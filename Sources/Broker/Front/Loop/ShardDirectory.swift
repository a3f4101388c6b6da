import NIOCore

/// Finds the shard of an event loop.
struct ShardDirectory: Sendable {
    let all: [NIOLoopBound<Shard>]
    private let byLoop: [ObjectIdentifier: NIOLoopBound<Shard>]

    /// A directory of one shard for each loop.
    init(_ shards: [NIOLoopBound<Shard>]) {
        all = shards
        byLoop = Dictionary(uniqueKeysWithValues: shards.map { (ObjectIdentifier($0.eventLoop), $0) })
    }

    /// The shard of `loop`; called on that loop.
    func shard(of loop: any EventLoop) -> Shard {
        guard let shard = byLoop[ObjectIdentifier(loop)] else {
            preconditionFailure("Cannot find a shard when the loop is not one of the broker's")
        }
        return shard.value
    }

    /// Waits until no connection is left, at most for the time given.
    func waitUntilEmpty(atMost limit: Duration) async {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            var count = 0
            for shard in all {
                count += (try? await shard.eventLoop.submit { shard.value.connectionCount }.get()) ?? 0
            }
            if count == 0 { return }
            try? await Task.sleep(for: .milliseconds(10))
        }
    }
}

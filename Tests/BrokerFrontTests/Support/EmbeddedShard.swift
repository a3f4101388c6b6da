import BrokerCore
import Logging
import NIOCore
import NIOEmbedded

@testable import BrokerFront

/// One connection and the shard of its event loop, which goes on only when a test lets it; without a router.
///
/// An address has a nanosecond of the loop's time in an hour: whatever it has, it waits for the next.
struct EmbeddedShard {
    let channel = EmbeddedChannel()
    let shard: Shard
    let services: HTTPServices

    init() {
        var configuration = BrokerConfiguration()
        configuration.allowedHosts = ["*"]
        configuration.limits.rates.workPerAddress = Rate(1, per: .seconds(3600), burst: 1)
        let access = AccessControl(configuration: configuration, tokens: TokenVerifier(), revocations: nil)
        shard = Shard(
            loop: 0, eventLoop: channel.eventLoop, configuration: configuration, access: access, hooks: BrokerHooks(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            unsentTotal: UnsentTotal(limit: configuration.limits.queuedBytesInAll, loopCount: 1))
        services = HTTPServices(
            configuration: configuration, listener: configuration.listeners[0], listeners: [], access: access,
            gate: Gatekeeper(configuration), names: LiveNames(configuration), monitor: Monitor(registry: nil))
    }

    /// An address has had its share.
    func useUp(by address: IPAddress) {
        shard.work.charge(address, 1_000_000, now: SystemClock.monotonic)
    }

    /// Closes the connection. What waits for its time goes on waiting.
    func close() {
        channel.close(promise: nil)
        channel.embeddedEventLoop.run()
    }

    /// Stops the shard, whose loop must have nothing to do when it is freed; the last call.
    func stop() {
        shard.stop()
        channel.embeddedEventLoop.advanceTime(by: .seconds(2))
    }
}

import Synchronization

/// The origins that are let in, which may change while the broker runs: what all connections look at.
final class LiveOrigins: Sendable {
    private let policy: Mutex<OriginPolicy>

    init(_ configuration: BrokerConfiguration) {
        policy = Mutex(Self.policy(configuration))
    }

    var current: OriginPolicy { policy.withLock { $0 } }

    /// Lets in those of another configuration from now on. Connections that are open go on.
    func set(_ configuration: BrokerConfiguration) {
        policy.withLock { $0 = Self.policy(configuration) }
    }

    private static func policy(_ configuration: BrokerConfiguration) -> OriginPolicy {
        OriginPolicy(allowed: configuration.allowedOrigins, allowsLoopback: configuration.isForThisMachineOnly)
    }
}

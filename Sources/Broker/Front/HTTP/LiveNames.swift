import Synchronization

/// Which pages are let in, and by which names the broker is addressed. Both may change while it runs; all connections look
/// at them.
final class LiveNames: Sendable {
    private struct Policies {
        let origins: OriginPolicy
        let hosts: HostPolicy?

        init(_ configuration: BrokerConfiguration) {
            origins = OriginPolicy(
                allowed: configuration.allowedOrigins, allowsLoopback: configuration.isForThisMachineOnly)
            // Beyond loopback only the operator knows how it is called.
            let isKnown = configuration.isLoopbackOnly || !configuration.allowedHosts.isEmpty
            hosts = isKnown ? HostPolicy(configuration) : nil
        }
    }
    private let policies: Mutex<Policies>

    init(_ configuration: BrokerConfiguration) {
        policies = Mutex(Policies(configuration))
    }

    /// The pages that are let in.
    var origins: OriginPolicy { policies.withLock { $0.origins } }

    /// The names that are the broker's; nil for all.
    var hosts: HostPolicy? { policies.withLock { $0.hosts } }

    /// Looks at another configuration from now on. Connections that are open go on.
    func set(_ configuration: BrokerConfiguration) {
        policies.withLock { $0 = Policies(configuration) }
    }
}

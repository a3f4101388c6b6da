import BrokerFront
import ServiceLifecycle

/// Says, once the broker listens, that it does.
struct AnnouncementService: Service {
    /// Where it listens: one element, as soon as it does.
    let ports: AsyncStream<ListeningPorts>
    let announce: @Sendable (ListeningPorts) async -> Void

    /// Ends no earlier than the group, which would end with it.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await ports in ports { await announce(ports) }
        }
        try? await gracefulShutdown()
    }
}

import BrokerCore
import BrokerFront
import Logging

/// A broker on a free port of this machine, with a store in memory unless it is given one.
struct TestBroker {
    let server: BrokerServer
    let host: String
    let port: Int

    /// Runs `body` with a broker, and stops it.
    static func run(
        threads: Int = 1, hooks: BrokerHooks = BrokerHooks(), store: any Store = MemoryStore(epoch: "epoch"),
        _ configure: (inout BrokerConfiguration) -> Void = { _ in },
        _ body: (TestBroker) async throws -> Void
    ) async throws {
        var configuration = BrokerConfiguration()
        // Tests call it as they like; there is a test of its own for names.
        configuration.allowedHosts = ["*"]
        configuration.port = 0
        configuration.threads = threads
        // Some wait for others before they say a word, on a machine that is busy.
        configuration.handshakeTimeout = .seconds(100)
        configuration.closeTimeout = .seconds(1)
        configuration.shutdownTimeout = .seconds(2)
        configure(&configuration)
        let server = BrokerServer(
            configuration: configuration, store: store, hooks: hooks,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let broker = TestBroker(server: server, host: configuration.host, port: try await server.start().plain ?? 0)
        do {
            try await body(broker)
        } catch {
            try await server.stop()
            throw error
        }
        try await server.stop()
    }

    func connect() async throws -> TestSocket { try await .connect(to: port, on: host) }
}

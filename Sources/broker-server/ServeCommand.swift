import ArgumentParser
import BrokerCore
import BrokerFront
import BrokerStore
import Foundation
import Logging
import ServiceLifecycle
import UnixSignals

/// `broker-server serve`: runs the broker until SIGTERM or SIGINT.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the broker (the default).",
        discussion: """
            Without any option the broker listens on 127.0.0.1:8000 and keeps its data in the user's state folder.
            Flags win over the environment (FANFARE_LISTEN for listen), and that over the configuration file.
            'print-config' lists the keys.
            """)

    @OptionGroup var options: ServeOptions

    func run() async throws {
        let settings = try options.settings()
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = settings.logLevel
            return handler
        }
        raiseDescriptorLimit()
        let logger = Logger(label: "fanfare")
        let credentials: TLSCredentials?
        do {
            credentials = try settings.broker.tls.map(TLSCredentials.init)
        } catch {
            throw fail("\(error)", ExitStatus.configuration)
        }
        let (start, starting) = AsyncStream.makeStream(of: Never.self)
        let (store, control) = makeStore(settings.database, start: start, logger: logger)
        let server = BrokerServer(
            configuration: settings.broker, store: store, logger: logger, credentials: credentials
        ) { ports in
            starting.finish()
            writeToStandardOutput(Banner(settings: settings, ports: ports).text)
        }
        let reload: [any Service] = credentials.map { [ReloadService(credentials: $0, logger: logger)] } ?? []
        // The group listens to signals before the broker starts, so none is missed.
        let group = ServiceGroup(
            configuration: .init(
                services: [server] + control + reload, gracefulShutdownSignals: [.sigterm, .sigint],
                logger: quiet(logger)))
        do {
            try await group.run()
        } catch let error as StoreError {
            throw fail("\(error)", ExitStatus.cannotCreate)
        } catch let error as ListenError {
            throw fail("\(error)", ExitStatus.unavailable)
        }
    }

    /// Lets the process have as many descriptors as the system allows: each connection takes one.
    private func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// The store, and the service at which the machine's owner can do something with it.
    private func makeStore(
        _ database: DatabaseLocation, start: AsyncStream<Never>, logger: Logger
    ) -> (any Store, [any Service]) {
        let makeEpoch: @Sendable () -> String = { UUID().uuidString.lowercased() }
        switch database {
        case .memory: return (MemoryStore(epoch: makeEpoch()), [])
        case .file(let path):
            let store = SQLiteStore(path: path, options: StoreOptions(makeEpoch: makeEpoch))
            let commands: [String: ControlService.Command] = [
                "backup": { file in
                    try store.backUp(to: file)
                    return file
                },
                "check": { _ in try store.check().description },
            ]
            let control = ControlService(
                path: ControlClient.path(forDatabase: path), commands: commands, start: start,
                logger: logger)
            return (store, [control])
        }
    }

    /// The service group tells of each of its steps; only what goes wrong there is of interest.
    private func quiet(_ logger: Logger) -> Logger {
        var logger = logger
        logger.logLevel = .critical
        return logger
    }
}

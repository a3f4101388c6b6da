import ArgumentParser
import BrokerCore
import BrokerFront
import BrokerStore
import CoreMetrics
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
        let hangups = await UnixSignalsSequence(trapping: .sighup)
        var settings = try options.settings()
        let level = LiveLogLevel(settings.logLevel)
        let output = LogOutput(settings.logFormat, to: STDERR_FILENO)
        LoggingSystem.bootstrap { label in
            LiveLogHandler(LineLogHandler(label: label, output: output), level: level)
        }
        let metrics = MetricsRegistry()
        MetricsSystem.bootstrap(metrics)
        raiseDescriptorLimit()
        let logger = Logger(label: "fanfare")
        let credentials: TLSCredentials
        let keyring = TokenKeyring(logger: logger)
        do {
            let activation = try SocketActivation(environment: ProcessInfo.processInfo.environment)
            settings.broker.listeners = try activation.claim(settings.broker.listeners)
            keyring.adopt(try await keyring.prepare(settings.broker, mayComeLater: true))
            credentials = try TLSCredentials(settings.broker.listeners)
        } catch {
            throw fail("\(error)", ExitStatus.configuration)
        }
        let (reloads, reloading) = AsyncStream.makeStream(of: Never.self)
        let (openPorts, opening) = AsyncStream.makeStream(of: ListeningPorts.self)
        let revocations: RevocationList
        do {
            revocations = try RevocationList(path: settings.database.revocationPath, logger: logger)
        } catch {
            throw fail("\(error)", ExitStatus.configuration)
        }
        let notifier = ServiceNotifier()
        let (store, ownersCommands) = makeStore(settings.database, settings.storeLimits, revocations)
        let server = BrokerServer(
            configuration: settings.broker, store: store, logger: logger, credentials: credentials,
            keyring: keyring, revocations: revocations, metrics: metrics
        ) { ports in
            reloading.finish()
            opening.yield(ports)
        }
        let reloader = Reloader(
            sources: options.sources, settings: settings, server: server, credentials: credentials, keyring: keyring,
            revocations: revocations, level: level, notifier: notifier,
            metrics: ServerMetrics(metrics, database: settings.database, credentials: credentials), logger: logger)
        var commands = ownersCommands
        commands["reload"] = { _ in try await reloader.reload(because: "broker-server reload") }
        let control = makeControl(settings.database, commands: commands, logger: logger)
        let announcement = AnnouncementService(ports: openPorts) { [settings] ports in
            // Whoever has read that the broker listens may send it commands at once.
            await control?.open()
            AccessSummary(settings.broker).log(to: logger)
            for warning in settings.broker.warnings { logger.warning("\(warning)") }
            writeToStandardOutput(Banner(settings: settings, ports: ports).text)
            notifier.tell(.ready)
        }
        let services: [(any Service)?] = [
            server,
            control,
            keyring,
            announcement,
            ReloadService(reloader: reloader, hangups: hangups, start: reloads),
            LifeCycleService(notifier: notifier),
            WatchdogService(notifier: notifier) { await server.isAlive(within: $0) },
        ]
        // The group listens to signals before the broker starts, so none is missed.
        let group = ServiceGroup(
            configuration: .init(
                services: services.compactMap(\.self),
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: quiet(logger)))
        do {
            try await group.run()
        } catch let error as StoreError {
            throw fail("\(error)", ExitStatus.cannotCreate)
        } catch let error as ListenError {
            throw fail("\(error)", ExitStatus.unavailable)
        } catch let error as RevocationError {
            throw fail("\(error)", ExitStatus.configuration)
        }
    }

    /// Lets the process have as many descriptors as the system allows: each connection takes one.
    private func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// The store, and what the machine's owner can have done with it while the broker runs.
    private func makeStore(
        _ database: DatabaseLocation, _ limits: StoreLimits, _ revocations: RevocationList
    ) -> (any Store, [String: ControlService.Command]) {
        let makeEpoch: @Sendable () -> String = { UUID().uuidString.lowercased() }
        guard case .file(let path) = database else {
            return (MemoryStore(epoch: makeEpoch(), limits: limits, worker: .thread()), [:])
        }
        var options = StoreOptions(makeEpoch: makeEpoch)
        options.limits = limits
        let store = SQLiteStore(path: path, options: options)
        return (
            store,
            [
                "backup": ControlService.blocking { file in
                    try store.backUp(to: file)
                    return file
                },
                "revoke": ControlService.blocking { try revocations.add($0, wall: RevokeCommand.now) },
                "check": ControlService.blocking { _ in try store.check().description },
            ]
        )
    }

    /// Where the machine's owner reaches the broker: beside its database, if it has one.
    private func makeControl(
        _ database: DatabaseLocation, commands: [String: ControlService.Command], logger: Logger
    ) -> ControlService? {
        guard case .file(let path) = database else { return nil }
        return ControlService(path: ControlClient.path(forDatabase: path), commands: commands, logger: logger)
    }

    /// The service group tells of each of its steps; only what goes wrong there is of interest.
    private func quiet(_ logger: Logger) -> Logger {
        var logger = logger
        logger.logLevel = .critical
        return logger
    }
}

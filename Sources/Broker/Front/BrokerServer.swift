package import BrokerCore
package import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// A broker that listens: event loops, the router on the first of them, the store.
///
/// `run` serves until it is told to shut down, then says goodbye to everybody, waits for them for as long as the
/// configuration says, and closes the store. Where no service group is at hand, `start` and `stop` do the same.
package final class BrokerServer: Service, Sendable {
    private struct Running {
        let group: MultiThreadedEventLoopGroup
        let shards: ShardDirectory
        let router: NIOLoopBound<RouterLoop>
        let listeners: [OpenListener]
    }
    private let configuration: BrokerConfiguration
    private let store: any Store
    private let hooks: BrokerHooks
    private let inProcess: InProcessPort?
    private let logger: Logger
    private let onReady: @Sendable (ListeningPorts) -> Void
    private let credentials: TLSCredentials
    private let access: AccessControl
    private let gate: Gatekeeper
    private let names: LiveNames
    private let keyring: TokenKeyring?
    private let revocations: RevocationList?
    private let monitor: Monitor
    private let running = Mutex<Running?>(nil)

    /// A broker that keeps what it has to in `store`; `onReady` is called by `run` when it listens.
    package init(
        configuration: BrokerConfiguration, store: any Store, hooks: BrokerHooks = BrokerHooks(),
        inProcess: InProcessPort? = nil, logger: Logger,
        credentials: TLSCredentials = .none, keyring: TokenKeyring? = nil, revocations: RevocationList? = nil,
        metrics: MetricsRegistry? = nil,
        onReady: @escaping @Sendable (ListeningPorts) -> Void = { _ in }
    ) {
        self.credentials = credentials
        monitor = Monitor(registry: metrics)
        self.configuration = configuration
        self.keyring = keyring
        access = AccessControl(
            configuration: configuration, tokens: keyring?.verifier ?? TokenVerifier(), revocations: revocations)
        self.revocations = revocations
        gate = Gatekeeper(configuration)
        names = LiveNames(configuration)
        self.store = store
        self.hooks = hooks
        self.inProcess = inProcess
        self.logger = logger
        self.onReady = onReady
    }

    /// Opens the store, starts the event loops and listens; returns the ports that it listens on.
    ///
    /// Throws `StoreError` when the store cannot be opened, `RevocationError` when the list of revoked tokens cannot be read,
    /// and `ListenError` when the address cannot be had.
    package func start() async throws -> ListeningPorts {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.threads)
        do {
            let loops = Array(group.makeIterator())
            let (shards, router) = try await makeLoops(loops)
            monitor.watch(shards, router)
            let listeners: [OpenListener]
            do {
                listeners = try await listen(on: group, shards: shards)
            } catch {
                try await Self.part(shards, router)
                throw error
            }
            running.withLock { $0 = Running(group: group, shards: shards, router: router, listeners: listeners) }
            return ListeningPorts(listeners: listeners)
        } catch {
            store.close()
            try await group.shutdownGracefully()
            throw error
        }
    }

    /// Takes over what may change while it runs: the origins that are let in, the broker's names, the channels'
    /// policies, the limits of connections and rates, who may do what, and which tokens are revoked. What it had before
    /// stays with connections that are open; sessions are looked at anew.
    package func reload(_ configuration: BrokerConfiguration) async throws {
        names.set(configuration)
        gate.set(configuration)
        guard let (router, shards) = running.withLock({ $0.map { ($0.router, $0.shards) } }) else { return }
        let (policies, rates) = (configuration.policies, configuration.limits.rates)
        for shard in shards.all { shard.eventLoop.execute { shard.value.work.set(rates) } }
        let (access, rules, revocations) = (access, AccessControl.rules(of: configuration), revocations)
        try await router.eventLoop.submit {
            router.value.set(policies)
            router.value.set(rates)
            access.set(rules: rules)
            // Those that have been added until now: what is added later, it is told.
            router.value.set(rules, revocations: revocations?.entries ?? [])
        }.get()
    }

    /// Starts, then serves until the surrounding service group, or the task, asks to stop; throws what `start` does.
    package func run() async throws {
        onReady(try await start())
        try? await gracefulShutdown()
        try await stop()
    }

    /// Whether every event loop and the store answer within `limit`; false as well while the broker does not run.
    package func isAlive(within limit: Duration) async -> Bool {
        guard let loop = running.withLock({ $0?.router.eventLoop }) else { return false }
        let problems = try? await monitor.examine(
            on: loop, within: .nanoseconds(Int64(limit.nanosecondsClamped)), mustWrite: false
        ).get()
        return problems == []
    }

    /// From now on `/health/ready` says that no new client should come. Those who do are served, and HTTP connections end
    /// with their next answer.
    package func beginDraining() {
        monitor.beginDraining()
    }

    /// Says that it is about to stop for as long as the configuration wants that to be seen, then stops listening, says
    /// goodbye, waits for the connections to end, closes the store. A task that is cancelled does not wait before that.
    package func stop() async throws {
        guard
            let running = running.withLock({ running in
                defer { running = nil }
                return running
            })
        else { return }
        let delay = configuration.drainDelay
        logger.info("stopping", metadata: delay > .zero ? ["afterDelay": "\(delay)"] : [:])
        monitor.beginDraining()
        // Everybody is served meanwhile.
        if delay > .zero { try? await Task.sleep(for: delay) }
        revocations?.watch(nil)
        keyring?.watch(nil)
        for listener in running.listeners { await listener.close() }
        for shard in running.shards.all {
            try await shard.eventLoop.submit { shard.value.announceShutDown() }.get()
        }
        try await running.router.eventLoop.submit { running.router.value.shutDown() }.get()
        inProcess?.shutDown()
        for shard in running.shards.all {
            try await shard.eventLoop.submit { shard.value.shutDown() }.get()
        }
        await running.shards.waitUntilEmpty(atMost: max(configuration.shutdownTimeout - delay, .zero))
        try await Self.part(running.shards, running.router)
        store.close()
        try await running.group.shutdownGracefully()
        logger.info("stopped")
    }

    /// Loops that know each other would never be freed.
    private static func part(_ shards: ShardDirectory, _ router: NIOLoopBound<RouterLoop>) async throws {
        for shard in shards.all {
            try await shard.eventLoop.submit { shard.value.stop() }.get()
        }
        try await router.eventLoop.submit { router.value.stop() }.get()
    }

    /// The router on the first loop, a shard on each, all of them knowing each other.
    private func makeLoops(
        _ loops: [any EventLoop]
    ) async throws -> (ShardDirectory, NIOLoopBound<RouterLoop>) {
        let configuration = configuration
        let store = store
        let hooks = hooks
        let logger = logger
        let access = access
        let rules = AccessControl.rules(of: configuration)
        let revocations = revocations
        let first = loops[0]
        // Clients in this process count as the connections of one more loop.
        let inProcess = inProcess
        let loopCount = UInt32(loops.count + (inProcess == nil ? 0 : 1))

        let inbox = RouterInbox()
        let state = try store.open { outcomes in inbox.mailbox?.send([.outcomes(outcomes)]) }
        // Until the database was ours, another program may have added to the list.
        if let revocations { try revocations.adopt(revocations.read()) }
        let router = try await first.submit {
            let router = Router(
                limits: configuration.routerLimits, policies: configuration.policies, rules: rules,
                revocations: revocations?.entries ?? [], embedding: hooks.embedding,
                offersCallbackPolling: configuration.allowsCallbackPolling, state: state, loopCount: loopCount,
                generator: SystemRandomNumberGenerator(),
                now: SystemClock.now)
            let services = ServiceRunner(hooks: hooks, logger: logger)
            let loop = RouterLoop(
                router: router, store: store, services: services, rates: configuration.limits.rates, eventLoop: first
            ) { inbox.mailbox }
            return NIOLoopBound(loop, eventLoop: first)
        }.get()
        let mailbox = Mailbox<RouterInput>(eventLoop: first) { router.value.receive($0) }
        inbox.set(mailbox)
        revocations?.watch { mailbox.send([.revoked($0)]) }
        // The router knows a key before the first token of it is verified.
        keyring?.watch { change in
            first.execute {
                router.value.set(change.identities)
                change.apply()
            }
        }

        // The first loop is the router's own.
        let loads = loops.indices.map { $0 == 0 ? nil : InboundLoad() }
        let unsent = UnsentTotal(limit: configuration.limits.queuedBytesInAll, loopCount: loops.count)
        var shards: [NIOLoopBound<Shard>] = []
        for (number, loop) in loops.enumerated() {
            let shard = try await loop.submit {
                let shard = Shard(
                    loop: UInt32(number), eventLoop: loop, configuration: configuration, access: access, hooks: hooks,
                    logger: logger, unsentTotal: unsent)
                shard.connect(to: loads[number].map { .remote(mailbox, $0) } ?? .local(router.value))
                return NIOLoopBound(shard, eventLoop: loop)
            }.get()
            shards.append(shard)
        }
        let all = shards
        try await first.submit {
            let ports = all.enumerated().map { number, shard -> RouterLoop.Port in
                if number == 0 { return .local(shard.value) }
                return .remote(Mailbox(eventLoop: shard.eventLoop) { shard.value.carryOut($0) })
            }
            router.value.connect(
                to: ports + (inProcess.map { [.remote($0)] } ?? []), loads: loads)
        }.get()
        inProcess?.open(
            loop: UInt32(loops.count), router: mailbox, hooks: hooks, congestedBytes: configuration.congestedBytes)
        return (ShardDirectory(all), router)
    }

    /// Opens every listener, or none.
    private func listen(
        on group: MultiThreadedEventLoopGroup, shards: ShardDirectory
    ) async throws -> [OpenListener] {
        // Sockets of the service manager may be of one name.
        var counters: [ListenerCounter] = []
        for listener in configuration.listeners where !counters.contains(where: { $0.name == listener.name }) {
            counters.append(ListenerCounter(name: listener.name))
        }
        var open: [OpenListener] = []
        do {
            for listener in configuration.listeners {
                // Whoever takes nothing of what waits here is cut, and counted, before the system gives it up.
                let (prepare, patience) = (setUp(listener, counters, shards), configuration.writeTimeout * 2)
                open.append(try await OpenListener.open(listener, on: group, patience: patience, prepare))
            }
            for listener in open { try await listener.accept() }
            return open
        } catch {
            for listener in open { await listener.close() }
            throw error
        }
    }

    /// What is done with a connection that a listener has accepted.
    private func setUp(
        _ listener: ListenerOptions, _ counters: [ListenerCounter], _ shards: ShardDirectory
    ) -> @Sendable (any Channel) -> EventLoopFuture<Void> {
        let services = HTTPServices(
            configuration: configuration, listener: listener, listeners: counters, access: access, gate: gate,
            names: names, monitor: monitor)
        let setup = ConnectionSetup(
            shards: shards, services: services,
            presence: Presence(among: gate.counter, of: counters.first { $0.name == listener.name }),
            credentials: credentials, logger: logger)
        return { setup.prepare($0) }
    }
}

/// Where the store's outcomes go once the router's loop stands.
private final class RouterInbox: Sendable {
    private let box = Mutex<Mailbox<RouterInput>?>(nil)

    var mailbox: Mailbox<RouterInput>? { box.withLock { $0 } }

    func set(_ mailbox: Mailbox<RouterInput>) {
        box.withLock { $0 = mailbox }
    }
}

import BrokerCore
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import BrokerFront

/// What is said of a broker of which a part does not answer. (One that drains: HealthTests.)
struct HangingPartTests {
    /// What hangs.
    enum Part: String, CaseIterable, Sendable {
        case loop = "event loop 1"
        case store = "the store"
    }
    /// A path, and after how long it says so.
    struct Check: Sendable {
        let path: String
        let seconds: Int64
    }
    static let checks = [Check(path: "/health/live", seconds: 10), Check(path: "/health/ready", seconds: 2)]

    @Test(
        "It is said when its time is over, not before, and once; then all is well again", arguments: checks,
        Part.allCases)
    func health(check: Check, part: Part) throws {
        let broker = try StillBroker(hanging: part)
        defer { broker.end() }
        try broker.request(check.path)
        broker.advance(by: TimeAmount.seconds(check.seconds) - .nanoseconds(1))
        #expect(try broker.written() == "")
        broker.advance(by: .nanoseconds(1))
        let failed = try broker.written()
        #expect(failed.hasPrefix("HTTP/1.1 503 "))
        let reason = "\(part.rawValue) has not answered for \(check.seconds) s"
        #expect(failed.hasSuffix("\r\n\r\n{\"status\":\"failed\",\"reasons\":[\"\(reason)\"]}\n"))

        broker.goOn()
        #expect(try broker.written() == "", "what comes too late is no second answer")
        try broker.request(check.path)
        broker.advance(by: .nanoseconds(0))
        let well = try broker.written()
        #expect(well.hasPrefix("HTTP/1.1 200 "))
        #expect(well.hasSuffix("\r\n\r\n{\"status\":\"ok\",\"reasons\":[]}\n"))
    }

    /// What the service manager's watchdog is told by. (That it is told nothing else: WatchdogTests.)
    @Test("The server is not alive while the store hangs", arguments: [1, 2])
    func isAlive(threads: Int) async throws {
        let store = HeldStore()
        try await TestBroker.run(threads: threads, store: store) { broker in
            #expect(await broker.server.isAlive(within: .milliseconds(1)) == false)
            store.release()
            #expect(await broker.server.isAlive(within: .seconds(30)))
        }
    }
}

/// The parts of a broker on event loops whose time stands still until it is moved: a connection and the router on the first
/// of them, only a shard on the second. Of one thread.
private final class StillBroker {
    private let first = EmbeddedEventLoop()
    private let second = EmbeddedEventLoop()
    private let store = HeldStore()
    private let channel: EmbeddedChannel
    private var hanging: HangingPartTests.Part?

    init(hanging part: HangingPartTests.Part) throws {
        hanging = part
        if part != .store { store.release() }
        var settings = BrokerConfiguration()
        settings.allowedHosts = ["*"]
        settings.threads = 2
        let configuration = settings
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let access = AccessControl(configuration: configuration, tokens: TokenVerifier(), revocations: nil)
        let shards = [first, second].enumerated().map { number, loop in
            Shard(
                loop: UInt32(number), eventLoop: loop, configuration: configuration, access: access,
                hooks: BrokerHooks(), logger: logger,
                unsentTotal: UnsentTotal(limit: configuration.limits.queuedBytesInAll, loopCount: 2))
        }
        let router = RouterLoop(
            router: Router(
                limits: configuration.routerLimits, state: StoredState(epoch: "epoch"), loopCount: 2,
                generator: SystemRandomNumberGenerator(), now: SystemClock.now),
            store: store, services: ServiceRunner(hooks: BrokerHooks(), logger: logger),
            rates: configuration.limits.rates, eventLoop: first
        ) { nil }
        let bound = NIOLoopBound(router, eventLoop: first)
        let mailbox = Mailbox<RouterInput>(eventLoop: first) { bound.value.receive($0) }
        _ = try store.open { mailbox.send([.outcomes($0)]) }
        let monitor = Monitor(registry: nil)
        monitor.watch(ShardDirectory(shards.map { NIOLoopBound($0, eventLoop: $0.eventLoop) }), bound)
        let services = HTTPServices(
            configuration: configuration, listener: ListenerOptions(.tcp(host: "127.0.0.1", port: 0)), listeners: [],
            access: access, gate: Gatekeeper(configuration), names: LiveNames(configuration), monitor: monitor)
        channel = EmbeddedChannel(handler: nil, loop: first)
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        try HTTPHandler.install(
            in: channel.pipeline, shard: shards[0], services: services,
            origin: ConnectionOrigin(address: nil, isTrusted: false))
    }

    func request(_ path: String) throws {
        try channel.writeInbound(ByteBuffer(string: TestSocket.request("GET", path)))
    }

    /// What the connection was given since this was last asked.
    func written() throws -> String {
        var text = ""
        while let part = try channel.readOutbound(as: IOData.self) {
            guard case .byteBuffer(let bytes) = part else { continue }
            text += String(buffer: bytes)
        }
        return text
    }

    func advance(by amount: TimeAmount) {
        first.advanceTime(by: .nanoseconds(0))
        if hanging != .loop { second.advanceTime(by: amount) }
        first.advanceTime(by: amount)
    }

    /// Nothing hangs any more.
    func goOn() {
        hanging = nil
        store.release()
        advance(by: .nanoseconds(0))
    }

    /// Answers what was asked, and lets go of everything.
    func end() {
        goOn()
        _ = try? channel.finish()
        store.close()
    }
}

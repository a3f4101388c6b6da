import BrokerCore
import BrokerFront
import BrokerStore
import Foundation
public import Logging
import Synchronization

/// A broker inside of another program.
///
/// ```swift
/// let broker = Broker(.init(port: 8000, database: .memory))
/// broker.add(Bouncer())
/// broker.serve("/service/time") { _ in Array("\(time(nil))".utf8) }
/// try await broker.run()
/// ```
/// Extensions, services and observers are added before `run`; later ones are not heard.
public final class Broker: Sendable {
    /// How a broker is set up. What is not here has the default that `broker-server` has.
    public struct Options: Sendable {
        /// What outlives the process.
        public enum Database: Sendable {
            /// Nothing.
            case memory
            /// A SQLite database in this file, which is made if it is not there.
            case file(String)
        }

        /// The address to listen on.
        public var host: String
        /// The port to listen on; 0 takes a free one.
        public var port: Int
        /// Event loops, each with a thread.
        public var threads: Int
        /// What outlives the process.
        public var database: Database
        /// Origins of web pages that may use the broker, beyond those of the same host; `*` for all.
        public var allowedOrigins: [String]
        /// What is kept of publications, by channel or pattern; the most specific one counts, and alone.
        public var channels: [String: Policy]

        /// Options.
        public init(
            host: String = "127.0.0.1", port: Int = 8000, threads: Int = 1, database: Database = .memory,
            allowedOrigins: [String] = [], channels: [String: Policy] = [:]
        ) {
            self.host = host
            self.port = port
            self.threads = threads
            self.database = database
            self.allowedOrigins = allowedOrigins
            self.channels = channels
        }
    }

    private struct Parts {
        var extensions: [any BrokerExtension] = []
        var services: [String: @Sendable (ServiceRequest) async throws -> [UInt8]] = [:]
        var observers: [@Sendable (MonitoringEvent) -> Void] = []
    }
    private let options: Options
    private let logger: Logger
    private let parts = Mutex(Parts())
    private let inProcess = InProcessPort()

    /// A broker that is not running yet.
    public init(_ options: Options = Options(), logger: Logger = Logger(label: "fanfare")) {
        self.options = options
        self.logger = logger
    }

    /// Adds an extension behind those that there are.
    public func add(_ added: some BrokerExtension) {
        parts.withLock { $0.extensions.append(added) }
    }

    /// Answers messages to a channel below `/service` with JSON (CometD's `remoteCall`). A service that throws a
    /// ``ServiceError`` refuses the request with it; any other error, or more than ten seconds, is answered with 500.
    public func serve(_ channel: String, _ service: @escaping @Sendable (ServiceRequest) async throws -> [UInt8]) {
        precondition(channel.hasPrefix("/service/"), "Cannot serve a channel when it is not below /service")
        parts.withLock { $0.services[channel] = service }
    }

    /// Calls `observer` with all that happens, on the thread that it happens on: it must not wait for anything.
    public func observe(_ observer: @escaping @Sendable (MonitoringEvent) -> Void) {
        parts.withLock { $0.observers.append(observer) }
    }

    /// Opens the database, listens, and serves until the task is cancelled or the surrounding service group stops.
    ///
    /// `onReady` is told the port. Throws when the database cannot be opened or the address cannot be had, and
    /// ``BrokerOptionError`` for a key of ``Options/channels`` that is no channel.
    public func run(onReady: @escaping @Sendable (_ port: Int) -> Void = { _ in }) async throws {
        var configuration = BrokerConfiguration()
        configuration.host = options.host
        configuration.port = options.port
        configuration.threads = options.threads
        configuration.allowedOrigins = options.allowedOrigins
        configuration.policies = try Self.policies(of: options.channels)
        let server = BrokerServer(
            configuration: configuration, store: makeStore(), hooks: makeHooks(), inProcess: inProcess, logger: logger,
            onReady: { onReady($0.plain ?? 0) })
        try await server.run()
    }

    /// A client of this broker without a connection; waits until the broker runs.
    public func client() async throws(InProcessClientError) -> InProcessClient {
        try await InProcessClient(inProcess)
    }

    private func makeStore() -> any Store {
        let makeEpoch: @Sendable () -> String = { UUID().uuidString.lowercased() }
        switch options.database {
        case .memory: return MemoryStore(epoch: makeEpoch(), worker: .thread())
        case .file(let path): return SQLiteStore(path: path, options: StoreOptions(makeEpoch: makeEpoch))
        }
    }

    private func makeHooks() -> BrokerHooks {
        let parts = parts.withLock { $0 }
        var hooks = BrokerHooks()
        let extensions = parts.extensions
        if !extensions.isEmpty {
            hooks.incoming = { json, transport in Self.review(json, transport, extensions) }
            hooks.outgoing = { json in Self.review(json, extensions) }
        }
        let observers = parts.observers
        if !observers.isEmpty {
            hooks.observer = { event in
                for observer in observers { observer(MonitoringEvent(event)) }
            }
        }
        for (channel, service) in parts.services {
            hooks.services[channel] = { call in
                do {
                    return try await service(ServiceRequest(call))
                } catch let error as ServiceError {
                    throw ServiceRefusal(code: error.code, text: error.text)
                }
            }
        }
        return hooks
    }

    private static func review(
        _ json: [UInt8], _ transport: String, _ extensions: [any BrokerExtension]
    ) -> BrokerHooks.Verdict {
        guard var message = BayeuxMessage(json: json) else { return .unchanged }
        let sender = MessageSender(transport: .init(rawValue: transport) ?? .http)
        let before = message
        for added in extensions {
            switch added.incoming(&message, from: sender) {
            case .accept: break
            case .refuse(let error): return .refused(error)
            case .drop: return .refused("404::message_deleted")
            }
        }
        return message == before ? .unchanged : .changed(message.json)
    }

    private static func review(_ json: [UInt8], _ extensions: [any BrokerExtension]) -> [UInt8]? {
        guard var message = BayeuxMessage(json: json) else { return json }
        let before = message
        for added in extensions {
            guard added.outgoing(&message) else { return nil }
        }
        return message == before ? json : message.json
    }
}

/// A message to a service.
public struct ServiceRequest: Sendable, Equatable {
    /// The session that sent it, if it named one that exists.
    public let clientID: String?
    /// The service's channel.
    public let channel: String
    /// What was sent, as JSON.
    public let data: [UInt8]

    init(_ call: ServiceCall) {
        clientID = call.clientID
        channel = call.channel.text
        data = call.data
    }
}

/// What a service throws to refuse a request: the client gets `code:channel:text`.
public struct ServiceError: Error, Sendable, Equatable {
    /// Three digits, as HTTP's where they fit.
    public let code: Int
    /// One line.
    public let text: String

    /// An error.
    public init(code: Int, text: String) {
        self.code = code
        self.text = text
    }
}

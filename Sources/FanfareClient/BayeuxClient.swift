import BrokerCore
import NIOCore
import NIOPosix

/// A client of a Bayeux broker over a WebSocket.
///
/// It keeps one session for as long as it lives. When the connection is lost it connects again and goes on with the
/// session; when the broker has forgotten that, it begins a new one, subscribes again from the last sequence numbers
/// that it has seen, and sends again what was not acknowledged. Messages that come twice are told once.
///
/// ```swift
/// let client = try BayeuxClient(ClientConfiguration(endpoint: Endpoint("http://127.0.0.1:8000/bayeux")))
/// try await client.connect()
/// let messages = try await client.subscribe(to: "/chat/**")
/// try await client.publish(#"{"text":"Hello"}"#, to: "/chat/room-1")
/// for try await message in messages { print(message.channel) }
/// ```
public final class BayeuxClient: Sendable {
    private let loop: any EventLoop
    private let core: NIOLoopBoundBox<ClientCore>
    private let shared: ClientShared
    private let configuration: ClientConfiguration

    /// A client, not yet connected. Throws ``ClientError`` when a file of certificates or keys cannot be read.
    public init(_ configuration: ClientConfiguration) throws(ClientError) {
        self.configuration = configuration
        let dialer = try Dialer(configuration)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let shared = ClientShared()
        self.loop = loop
        self.shared = shared
        core = NIOLoopBoundBox.makeBoxSendingValue(
            ClientCore(
                configuration, loop: loop, shared: shared, fetchToken: { Self.fetchToken(for: $0) },
                connect: { dialer.connect($0) }),
            eventLoop: loop)
    }

    private static func fetchToken(for core: ClientCore) {
        guard let source = core.configuration.tokenSource else { return }
        let loop = core.loop
        let bound = NIOLoopBound(core, eventLoop: loop)
        Task {
            do {
                let token = try await source.fetch()
                loop.execute { bound.value.tokenFetched(token) }
            } catch {
                loop.execute { bound.value.tokenFailed(error) }
            }
        }
    }

    /// Begins the session. Throws ``ClientError`` when none came about in `maximumFirstOutage`.
    public func connect() async throws {
        try await perform { core, promise in core.begin(promise) }
    }

    /// What becomes of the connection, from now on; ends when the client is closed.
    public func states() -> AsyncStream<ConnectionState> { shared.states() }

    /// Subscribes to channels and patterns, all or none, and returns when the broker has them. The messages have to be
    /// read by one task. Throws ``ClientError``.
    public func subscribe(to channels: [String], options: SubscribeOptions = .init()) async throws -> Subscription {
        var patterns: [ChannelPattern] = []
        for channel in channels {
            do {
                patterns.append(try ChannelPattern(channel, grammar: .cometd, maximumBytes: .max))
            } catch {
                throw ClientError(.refused, "\(channel) is no channel: \(error)")
            }
        }
        let answered = loop.makePromise(of: Void.self)
        let (shared, core, loop) = (shared, core, loop)
        let most = configuration.maximumBufferedBytes
        let buffer = MessageBuffer(added: { shared.add($0) }) { bytes in
            guard shared.remove(bytes, resumesBelow: most / 2) else { return }
            loop.execute { core.value.resumeReading() }
        }
        let group = NIOLoopBoundBox.makeBoxSendingValue(
            SubscriptionGroup(channels, patterns: patterns, options: options, buffer: buffer, answered: answered),
            eventLoop: loop)
        loop.execute { core.value.subscribe(group.value) }
        try await answered.futureResult.get()
        return Subscription(channels: channels, buffer: buffer) {
            let done = loop.makePromise(of: Void.self)
            loop.execute { core.value.sendUnsubscribe(group.value, done) }
            try? await done.futureResult.get()
        }
    }

    /// Subscribes to one channel or pattern.
    public func subscribe(to channel: String, options: SubscribeOptions = .init()) async throws -> Subscription {
        try await subscribe(to: [channel], options: options)
    }

    /// Publishes, and returns when the broker has acknowledged it; the receipt is empty unless the publication asks for
    /// one. Throws ``ClientError``.
    @discardableResult
    public func publish(_ publication: Publication) async throws -> PublicationReceipt {
        try await enqueue([publication]).outcomes()[0].get()
    }

    /// Publishes a document, given as JSON.
    public func publish(_ json: String, to channel: String, retain: Bool = false) async throws {
        try await publish(Publication(Array(json.utf8), to: channel, retain: retain))
    }

    /// Publishes in order, without waiting; as many as the window allows are under way at a time.
    public func enqueue(_ publications: [Publication]) -> PublicationTicket {
        let done = loop.makePromise(of: [PublicationOutcome].self)
        let core = core
        loop.execute { core.value.publish(publications, done) }
        return PublicationTicket(future: done.futureResult)
    }

    /// Sends a message to a service of the broker (`/service/…`) and returns its answer. Throws ``ClientError``; a request
    /// whose connection is lost fails, for a service may have been called.
    public func request(_ channel: String, _ data: [UInt8]) async throws -> Message {
        let promise = loop.makePromise(of: Message.self)
        let core = core
        loop.execute { core.value.request(channel, data, promise) }
        return try await promise.futureResult.get()
    }

    /// Ends the session, so that the broker need not wait for it, and closes the connection.
    public func close() async {
        try? await perform { core, promise in core.close(promise) }
    }

    /// Closes the connection and leaves the session to the broker's timeout: who comes back with its client id goes on.
    public func abandon() async {
        try? await perform { core, promise in
            core.end(nil)
            promise.succeed()
        }
    }

    private func perform(_ body: @escaping @Sendable (ClientCore, EventLoopPromise<Void>) -> Void) async throws {
        let promise = loop.makePromise(of: Void.self)
        let core = core
        loop.execute { body(core.value, promise) }
        try await promise.futureResult.get()
    }
}

/// Publications under way.
public struct PublicationTicket: Sendable {
    let future: EventLoopFuture<[PublicationOutcome]>

    /// What became of each, when all are decided.
    public func outcomes() async throws -> [PublicationOutcome] { try await future.get() }
}

/// The messages of a subscription, in order. One task may read it.
public struct Subscription: AsyncSequence, Sendable {
    /// What was subscribed to.
    public let channels: [String]
    private let buffer: MessageBuffer
    private let cancel: @Sendable () async -> Void

    init(channels: [String], buffer: MessageBuffer, cancel: @escaping @Sendable () async -> Void) {
        self.channels = channels
        self.buffer = buffer
        self.cancel = cancel
    }

    /// Ends the subscription; messages that are there can still be read.
    public func unsubscribe() async { await cancel() }

    /// All messages that are there, at least one, waiting for it; nil at the end. Throws ``ClientError`` when the client
    /// gave up.
    public func nextBatch() async throws -> [Message]? { try await buffer.take() }

    /// Reads messages one by one.
    public func makeAsyncIterator() -> Iterator { Iterator(buffer: buffer) }

    /// Reads messages one by one.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let buffer: MessageBuffer
        private var batch: ArraySlice<Message> = []

        fileprivate init(buffer: MessageBuffer) { self.buffer = buffer }

        /// The next message; nil when the subscription or the client has ended. Throws ``ClientError``.
        public mutating func next() async throws -> Message? {
            if batch.isEmpty {
                guard let taken = try await buffer.take() else { return nil }
                batch = taken[...]
            }
            return batch.popFirst()
        }
    }
}

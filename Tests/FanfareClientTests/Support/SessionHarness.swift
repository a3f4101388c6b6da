import BrokerCore
import Driver
import NIOCore
import NIOEmbedded
import Support

@testable import FanfareClient

/// A client's session with a connection that is played, and a clock that stands still until it is moved.
final class SessionHarness {
    /// A connection that keeps what is sent.
    final class Transport: ClientTransport {
        var sent: [JSON] = []
        var isClosed = false
        var isPaused = false
        /// Why it was given up.
        var failure: ClientError?

        func send(_ text: [UInt8]) {
            guard case .array(let messages)? = try? JSON(parsing: text) else {
                preconditionFailure("Cannot send what is no batch: \(String(decoding: text, as: UTF8.self))")
            }
            sent += messages
        }
        func close() { isClosed = true }
        func giveUp(_ error: ClientError) { failure = error }
        func pause(_ isPaused: Bool) { self.isPaused = isPaused }
    }

    let loop = EmbeddedEventLoop()
    let shared = ClientShared()
    let core: ClientCore
    private(set) var transport = Transport()
    /// How often a connection was asked for.
    var dialCount: Int { dials.current }
    /// How often the source was asked for a token.
    var tokenCount: Int { tokens.current }
    private let dials = Dials()
    private let tokens = Dials()
    private final class Dials { var current = 0 }

    init(_ configure: (inout ClientConfiguration) -> Void = { _ in }) throws {
        var configuration = ClientConfiguration(endpoint: try Endpoint("http://broker.example/bayeux"))
        configure(&configuration)
        let (dials, tokens) = (dials, tokens)
        core = ClientCore(
            configuration, loop: loop, shared: shared, fetchToken: { _ in tokens.current += 1 },
            connect: { _ in dials.current += 1 })
    }

    /// The connection that was asked for is there; what the session says at once.
    @discardableResult
    func open() -> [JSON] {
        transport = Transport()
        precondition(core.connectionBegan(transport), "Cannot open a connection that nobody wants")
        core.connectionOpened()
        core.flush()
        return take()
    }

    /// What was sent since the last time, without the members that only tell one message from another.
    func take() -> [JSON] {
        defer { transport.sent = [] }
        return transport.sent.map { message in
            guard case .object(var members) = message else { return message }
            members["id"] = nil
            return .object(members)
        }
    }

    /// The id of the last message that was sent on a channel, and is not taken.
    func lastID(_ channel: String) -> JSON? {
        transport.sent.last { $0["channel"]?.text == channel }?["id"]
    }

    /// Messages of the broker, in one frame.
    func receive(_ messages: JSON...) {
        let text = Array(JSON.array(messages).description.utf8)
        core.connectionReceived(text.span.bytes)
        core.connectionReadCompleted()
    }

    /// Answers the last message on a meta channel that was sent.
    func answer(_ channel: String, _ members: [String: JSON], successful: Bool = true) {
        var reply = members
        reply["channel"] = .string(channel)
        reply["successful"] = .bool(successful)
        reply["id"] = .string(requestID(channel))
        receive(.object(reply))
    }

    /// The id under which an answer is awaited.
    private func requestID(_ channel: String) -> String {
        let found = core.requests.filter { _, request in
            switch (channel, request.kind) {
            case ("/meta/handshake", .handshake), ("/meta/connect", .connect), ("/meta/disconnect", .disconnect),
                ("/meta/subscribe", .subscribe), ("/meta/unsubscribe", .unsubscribe), ("/service/x", .service):
                true
            default: false
            }
        }
        return found.keys.max { ($0.count, $0) < ($1.count, $1) } ?? "none"
    }

    /// The handshake is answered, and the first connect is on its way.
    func acceptHandshake(_ clientID: String = "one") {
        answer("/meta/handshake", ["clientId": .string(clientID)])
    }

    /// Everything up to an open session with its connect on its way.
    func establish(_ clientID: String = "one") {
        core.start()
        open()
        acceptHandshake(clientID)
        _ = take()
    }

    func lose(_ kind: ClientError.Kind = .unreachable) {
        core.connectionClosed(ClientError(kind, "lost"))
    }

    /// The time until the next attempt is over.
    func waitForDial() { advance(.seconds(30)) }

    func advance(_ time: TimeAmount) { loop.advanceTime(by: time) }

    /// What becomes of a promise.
    final class Result<Value> { var outcome: Swift.Result<Value, any Error>? }

    func promise<Value: Sendable>(_ type: Value.Type) -> (EventLoopPromise<Value>, Result<Value>) {
        let promise = loop.makePromise(of: Value.self)
        let result = Result<Value>()
        let bound = NIOLoopBound(result, eventLoop: loop)
        promise.futureResult.whenComplete { bound.value.outcome = $0 }
        return (promise, result)
    }

    /// Subscribes.
    func subscribe(
        _ channels: String..., start: ReplayStart = .retained
    ) throws -> (group: SubscriptionGroup, buffer: MessageBuffer, answered: Result<Void>) {
        let shared = shared
        let buffer = MessageBuffer(added: { shared.add($0) }) { _ = shared.remove($0, resumesBelow: 0) }
        let patterns = try channels.map { try ChannelPattern($0, grammar: .cometd, maximumBytes: .max) }
        let (answered, result) = promise(Void.self)
        let group = SubscriptionGroup(
            channels, patterns: patterns, options: SubscribeOptions(start: start), buffer: buffer, answered: answered)
        core.subscribe(group)
        return (group, buffer, result)
    }

    /// Asks a service.
    func request() -> Result<Message> {
        let (promise, result) = self.promise(Message.self)
        core.request("/service/x", Array("1".utf8), promise)
        return result
    }

    /// Wants the session.
    func begin() -> Result<Void> {
        let (promise, result) = self.promise(Void.self)
        core.begin(promise)
        return result
    }

    /// Ends the session.
    @discardableResult
    func close() -> Result<Void> {
        let (promise, result) = self.promise(Void.self)
        core.close(promise)
        return result
    }

    /// Publishes; what became of it is written to the list.
    func publish(_ publications: [FanfareClient.Publication]) -> Outcomes {
        let done = loop.makePromise(of: [PublicationOutcome].self)
        let outcomes = Outcomes()
        let bound = NIOLoopBound(outcomes, eventLoop: loop)
        done.futureResult.whenSuccess { bound.value.list = $0 }
        core.publish(publications, done)
        return outcomes
    }
    final class Outcomes { var list: [PublicationOutcome]? }
}

import BrokerCore
import BrokerFront

/// A client of a broker in the same process: a session like any other, without a connection that could be lost.
///
/// ```swift
/// let client = try await broker.client()
/// for await message in try await client.subscribe(to: "/chat/**") { … }
/// ```
/// Messages that are not read wait: of all subscriptions together up to 1 MiB here, then as many with the session as may
/// wait for any other, whose oldest make room. Who does not read one subscription keeps the others of the same client from
/// going on.
public actor InProcessClient {
    private let port: InProcessPort
    private let handle: InProcessPort.Handle
    private let unread: UnreadLoad
    private var clientID = ""
    private var lastID = 0
    private var requests: [Int: CheckedContinuation<Result<String?, InProcessClientError>, Never>] = [:]
    private var subscriptions: [Int: Subscription] = [:]
    private var isOver = false

    private struct Subscription {
        let pattern: ChannelPattern
        let messages: AsyncStream<ReceivedMessage>.Continuation
        let unread: SubscriptionLoad
    }

    init(_ port: InProcessPort) async throws(InProcessClientError) {
        guard await port.waitUntilOpen() else { throw .stopped }
        self.port = port
        let (handle, events, unread) = port.connect()
        self.handle = handle
        self.unread = unread
        Task { [weak self] in
            for await event in events { await self?.receive(event) }
            await self?.end()
        }
        let types = #""version":"1.0","supportedConnectionTypes":["in-process"]"#
        clientID = try await request("/meta/handshake", types) ?? ""
        // The first one is answered at once; each answer then brings the next one.
        _ = try await request("/meta/connect", #""connectionType":"in-process""#)
    }

    deinit {
        port.disconnect(handle)
    }

    /// Publishes a JSON value; returns when the broker has taken it, and stored it if the channel is stored.
    public func publish(_ data: [UInt8], to channel: String, retain: Bool = false) async throws(InProcessClientError) {
        guard (try? EnvelopeScanner().scanValue(validatingUTF8: data.span.bytes)) != nil else { throw .notJSON }
        let ext = retain ? #","ext":{"retain":true}"# : ""
        _ = try await request(channel, #""data":"# + String(decoding: data, as: UTF8.self) + ext)
    }

    /// Subscribes to a channel or pattern: retained messages first, then what is live. Ending the iteration unsubscribes.
    public func subscribe(to channel: String) async throws(InProcessClientError) -> ReceivedMessages {
        guard let pattern = try? ChannelPattern(channel, grammar: .cometd, maximumBytes: .max) else {
            throw .refused("405:\(channel):Invalid channel")
        }
        let (messages, continuation) = AsyncStream.makeStream(of: ReceivedMessage.self)
        let load = SubscriptionLoad(within: unread)
        lastID += 1
        let key = lastID
        subscriptions[key] = Subscription(pattern: pattern, messages: continuation, unread: load)
        continuation.onTermination = { [weak self] _ in
            load.end()
            Task { await self?.endSubscription(key) }
        }
        do {
            _ = try await request("/meta/subscribe", #""subscription":"# + Self.quoted(channel))
        } catch {
            subscriptions[key] = nil
            throw error
        }
        return ReceivedMessages(messages: messages, unread: load)
    }

    /// Ends the session; subscriptions end with it.
    public func disconnect() async {
        _ = try? await request("/meta/disconnect", "")
        port.disconnect(handle)
        end()
    }

    private func endSubscription(_ key: Int) async {
        guard let ended = subscriptions.removeValue(forKey: key), !isOver else { return }
        guard !subscriptions.values.contains(where: { $0.pattern == ended.pattern }) else { return }
        _ = try? await request("/meta/unsubscribe", #""subscription":"# + Self.quoted(ended.pattern.text))
    }

    /// Sends a message and waits for its reply; the client id in it, if any.
    private func request(_ channel: String, _ members: String) async throws(InProcessClientError) -> String? {
        guard !isOver else { throw .stopped }
        lastID += 1
        let id = lastID
        let result = await withCheckedContinuation { continuation in
            requests[id] = continuation
            send(channel, members, id: id)
        }
        return try result.get()
    }

    private func send(_ channel: String, _ members: String, id: Int) {
        var message = #"[{"channel":"# + Self.quoted(channel) + #","id":"\#(id)""#
        if !clientID.isEmpty { message += #","clientId":"\#(clientID)""# }
        if !members.isEmpty { message += "," + members }
        do {
            try port.send(Array((message + "}]").utf8), from: handle)
        } catch {
            finish(id, .failure(.refused("\(error)")))
        }
    }

    private func finish(_ id: Int, _ result: Result<String?, InProcessClientError>) {
        requests.removeValue(forKey: id)?.resume(returning: result)
    }

    private func end() {
        isOver = true
        for id in requests.keys { finish(id, .failure(.stopped)) }
        for subscription in subscriptions.values { subscription.messages.finish() }
        subscriptions = [:]
    }

    private func receive(_ event: InProcessPort.Event) {
        switch event {
        case .replies(let objects): receiveReplies([UInt8(ascii: "[")] + objects + [UInt8(ascii: "]")])
        case .message(let json): receiveMessage(json)
        }
    }

    private func receiveReplies(_ text: [UInt8]) {
        var replies: [Envelope] = []
        guard (try? EnvelopeScanner().scan(text.span.bytes, into: &replies)) != nil else { return }
        for reply in replies {
            guard let id = reply.id.string(in: text.span.bytes).flatMap(Int.init) else { continue }
            let isSuccessful = reply.successful.bool == true
            if isSuccessful, reply.channel.equals("/meta/connect", in: text.span.bytes) {
                lastID += 1
                send("/meta/connect", #""connectionType":"in-process""#, id: lastID)
            }
            let error = reply.error.string(in: text.span.bytes) ?? ""
            let clientID = reply.clientId.string(in: text.span.bytes)
            finish(id, isSuccessful ? .success(clientID) : .failure(.refused(error)))
        }
    }

    private func receiveMessage(_ json: [UInt8]) {
        // Only now, so that what goes from here to subscriptions counts all the time.
        defer { unread.remove(json.count) }
        guard let message = ReceivedMessage(json: json) else { return }
        // None where a pattern is told of what was missed on some of its channels.
        let channel = try? ChannelName(message.channel, grammar: .cometd, maximumBytes: .max)
        for subscription in subscriptions.values {
            let pattern = subscription.pattern
            guard channel.map({ pattern.matches($0) }) ?? (pattern.text == message.channel) else { continue }
            subscription.unread.add(json.count)
            subscription.messages.yield(message)
        }
    }

    private static func quoted(_ text: String) -> String {
        var bytes: [UInt8] = []
        bytes.append(jsonString: text)
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Why an in-process client could not do something.
public enum InProcessClientError: Error, Sendable, Equatable {
    /// The broker has refused it, with this error.
    case refused(String)
    /// What was to be published is no JSON.
    case notJSON
    /// The broker has stopped, the client has disconnected, or it was cut off: by the administrator, or because it reads
    /// too slowly for what the policy of a channel says.
    case stopped
}

/// A message to a subscriber.
public struct ReceivedMessage: Sendable, Equatable {
    /// The channel that it was published to.
    public let channel: String
    /// What was published, as JSON; nil for a notice that messages were lost.
    public let data: [UInt8]?
    /// The whole message, as JSON: its `ext` has the sequence number and more.
    public let json: [UInt8]

    init?(json: [UInt8]) {
        guard let message = BayeuxMessage(json: json), let channel = message.channel else { return nil }
        self.channel = channel
        data = message.data
        self.json = json
    }
}

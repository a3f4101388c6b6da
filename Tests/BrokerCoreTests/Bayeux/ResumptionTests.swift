import BrokerCore
import Support
import Testing

/// What a session gets from the log when it comes back, and that it gets it in order.
@Suite("Resumption")
struct ResumptionTests {
    /// A router that keeps the last thousand publications of every channel below /h.
    private static func harness(
        sessions: [StoredState.Session] = [], limits: Limits = Limits(), store: any Store = MemoryStore(epoch: "log")
    ) throws -> RouterHarness {
        var policies = ChannelPolicies()
        policies[try pattern("/h/**")] = ChannelPolicy(historyCount: 1000)
        return try RouterHarness(limits: limits, policies: policies, sessions: sessions, store: store)
    }

    private static func pattern(_ text: String) throws -> ChannelPattern {
        try ChannelPattern(text, grammar: .faye, maximumBytes: 100)
    }

    /// The data of messages, or what they say is missing.
    private static func data(_ events: [RouterHarness.Event]) -> [JSON] {
        events.compactMap { event in
            if case .push(let message) = event { message["data"] ?? message["ext"]?["gap"] ?? .null } else { nil }
        }
    }

    private static func publish(_ numbers: ClosedRange<Int>, to channel: String = "/h/a", on harness: RouterHarness) {
        for number in numbers { harness.publish(.number(Double(number)), to: channel, from: harness.socket()) }
    }

    private static func numbers(_ range: ClosedRange<Int>) -> [JSON] { range.map { .number(Double($0)) } }

    @Test("What was on its way when the connection was lost comes again with its number, then what came since")
    func lostConnection() throws {
        let harness = try Self.harness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/**", from: peer)
        Self.publish(1...2, on: harness)
        // The client answers a connect: it has 1 and 2.
        harness.connect(clientID, from: peer)
        harness.advance(by: .seconds(60))
        harness.connect(clientID, from: peer)
        Self.publish(3...3, on: harness)
        Self.publish(0...0, to: "/plain", on: harness)
        #expect(Self.data(harness.take(peer)) == [3, 0])
        harness.close(peer)
        Self.publish(4...4, on: harness)
        Self.publish(5...5, to: "/plain", on: harness)
        let again = harness.socket()
        let events = harness.connect(clientID, from: again)
        // Not the one that is not in the log: it may be lost with a connection.
        #expect(
            events == [
                .connected(clientID), .message(3, on: "/h/a", sequence: 3), .message(4, on: "/h/a", sequence: 4),
                .message(5, on: "/plain"),
            ])
    }

    @Test(
        "An answer that a half open connection swallows is no sign that the client has what came before it",
        arguments: [false, true])
    func answeredIntoTheVoid(polls: Bool) throws {
        let harness = try Self.harness()
        let (dead, clientID) = harness.open()
        harness.subscribe(clientID, to: "/**", from: dead)
        harness.connect(clientID, from: dead)
        Self.publish(1...1, on: harness)
        // The held connect is answered.
        harness.advance(by: .seconds(60))
        #expect(Self.data(harness.take(dead)) == [1])
        let events = harness.connect(clientID, from: polls ? harness.exchange() : harness.socket())
        #expect(Self.data(events) == [1])
    }

    @Test("A connection that is half open: what was written to it comes again over the next one")
    func halfOpenConnection() throws {
        let harness = try Self.harness()
        let (first, clientID) = harness.open()
        harness.subscribe(clientID, to: "/h/a", from: first)
        Self.publish(1...2, on: harness)
        let second = harness.socket()
        #expect(Self.data(harness.connect(clientID, from: second)) == Self.numbers(1...2))
        // The broker hears of its end only now.
        harness.close(first)
        Self.publish(3...3, on: harness)
        #expect(Self.data(harness.take(second)) == [3])
    }

    @Test("The connect behind that is answered at once, so that the client can say that it has it")
    func confirmation() throws {
        let harness = try Self.harness()
        let (first, clientID) = harness.open()
        harness.subscribe(clientID, to: "/h/a", from: first)
        Self.publish(1...3, on: harness)
        harness.close(first)
        let second = harness.socket()
        #expect(Self.data(harness.connect(clientID, from: second)) == Self.numbers(1...3))
        #expect(harness.connect(clientID, from: second) == [.connected(clientID)])
        // This one says so, and is held.
        #expect(harness.connect(clientID, from: second) == [])
        harness.close(second)
        #expect(Self.data(harness.connect(clientID, from: harness.socket())) == [])
    }

    @Test("A session of before the restart goes on behind its cursor, with what was published since and no more")
    func restart() throws {
        let store = MemoryStore(epoch: "log")
        let before = try Self.harness(store: store)
        Self.publish(1...6, on: before)
        before.shutDown()
        let stored = StoredState.Session(
            clientID: "client", subscriptions: [try Self.pattern("/h/*"): 2, try Self.pattern("/h/a"): 5], cursor: 3)
        let after = try Self.harness(sessions: [stored], store: store)
        Self.publish(7...8, on: after)
        let peer = after.socket()
        #expect(Self.data(after.connect("client", from: peer)) == Self.numbers(4...8))
        // One that had subscribed only when 5 was there does not get 4 and 5.
        let late = StoredState.Session(
            clientID: "late", subscriptions: [try Self.pattern("/h/a"): 5], cursor: 0)
        let again = try Self.harness(sessions: [late], store: store)
        #expect(Self.data(again.connect("late", from: again.socket())) == Self.numbers(6...8))
    }

    @Test("Over a poll: with the answers to its connects", arguments: [true, false])
    func polling(isRestarted: Bool) throws {
        let store = MemoryStore(epoch: "log")
        let before = try Self.harness(store: store)
        Self.publish(1...700, on: before)
        before.shutDown()
        let stored = StoredState.Session(
            clientID: "client", subscriptions: [try Self.pattern("/h/a"): 0], cursor: isRestarted ? 0 : 699)
        let harness = try Self.harness(sessions: [stored], store: store)
        Self.publish(701...701, on: harness)
        var got: [JSON] = []
        var pollCount = 0
        while got.last != 701, pollCount < 10 {
            pollCount += 1
            let poll = harness.exchange()
            got += Self.data(harness.connect("client", from: poll))
        }
        #expect(got == Self.numbers((isRestarted ? 1 : 700)...701))
        // The first connect is answered at once and empty-handed; a page has 512.
        #expect(pollCount == (isRestarted ? 3 : 2))
    }

    @Test("A queue that overflows is no gap for what the log has; the rest is told")
    func overflow() throws {
        var limits = Limits()
        limits.queuedMessages = 3
        let harness = try Self.harness(limits: limits)
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/**", from: peer)
        harness.close(peer)
        Self.publish(0...0, to: "/plain", on: harness)
        Self.publish(1...10, on: harness)
        let events = harness.connect(clientID, from: harness.socket())
        #expect(Self.data(events) == Self.numbers(1...7) + [["count": 1]] + Self.numbers(8...10))
    }

    @Test("A backlog is read as fast as it is taken; what is live waits behind it")
    func slowReader() throws {
        let harness = try Self.harness()
        for number in 0..<1200 {
            harness.publish(
                .number(Double(number)), to: "/r/\(number)", from: harness.socket(), ext: ["retain": true])
        }
        let (peer, clientID) = harness.open()
        harness.readsPromptly = false
        var count = Self.data(harness.subscribe(clientID, to: "/r/*", from: peer)).count
        #expect(count == 512)
        harness.publish("live", to: "/r/live", from: harness.socket())
        #expect(harness.take(peer) == [])
        harness.drain()
        count += Self.data(harness.take(peer)).count
        #expect(count == 1024)
        harness.drain()
        let rest = Self.data(harness.take(peer))
        #expect(rest.count == 1200 - 1024 + 1)
        #expect(rest.last == "live")
        harness.publish("more", to: "/r/live", from: harness.socket())
        #expect(Self.data(harness.take(peer)) == ["more"])
    }

    @Test("A connection that is lost in the middle of a backlog begins it anew")
    func lostBacklog() throws {
        let harness = try Self.harness()
        Self.publish(1...600, on: harness)
        let (first, clientID) = harness.open()
        harness.readsPromptly = false
        let message: JSON = [
            "channel": "/meta/subscribe", "clientId": .string(clientID), "subscription": "/h/a",
            "ext": ["replay": ["/h/a": -2]],
        ]
        #expect(Self.data(harness.send([message], from: first)).count == 512)
        harness.close(first)
        harness.readsPromptly = true
        #expect(Self.data(harness.connect(clientID, from: harness.socket())) == Self.numbers(1...600))
    }

    @Test("A part of the past that cannot be read is told as missing, and the session goes on")
    func failingStore() throws {
        let harness = try Self.harness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/h/a", from: peer)
        Self.publish(1...2, on: harness)
        harness.close(peer)
        harness.storeMode = .failing
        let again = harness.socket()
        let events = harness.connect(clientID, from: again)
        #expect(Self.data(events) == [["from": 1, "to": 2]])
        harness.publish("live", to: "/h/a/plain", from: harness.socket())
        harness.storeMode = .prompt
        Self.publish(3...3, on: harness)
        #expect(Self.data(harness.take(again)) == [3])
    }

    @Test("What a client has acknowledged does not come again after a restart; the rest does, in numbers that go on")
    func acknowledged() throws {
        let store = MemoryStore(epoch: "log")
        let before = try Self.harness(store: store)
        let poll = before.socket()
        let clientID = Self.handshakeWithAcknowledgements(before, from: poll)
        Self.connect(clientID, 0, from: poll, on: before)
        before.subscribe(clientID, to: "/h/a", from: poll)
        Self.publish(1...2, on: before)
        let first = Self.connect(clientID, 0, from: poll, on: before)
        #expect(Self.data(first.events) == Self.numbers(1...2))
        Self.publish(3...4, on: before)
        let second = Self.connect(clientID, first.batch, from: poll, on: before)
        #expect(Self.data(second.events) == Self.numbers(3...4))
        before.shutDown()

        // The broker has not written down anything since the subscription.
        let stored = StoredState.Session(
            clientID: clientID, subscriptions: [try Self.pattern("/h/a"): 0], cursor: 0, acknowledges: true)
        let after = try Self.harness(sessions: [stored], store: store)
        let socket = after.socket()
        // It has the first batch, not the second.
        Self.connect(clientID, first.batch, from: socket, on: after)
        let third = Self.connect(clientID, first.batch, from: socket, on: after)
        #expect(Self.data(third.events) == Self.numbers(3...4))
        #expect(third.batch > first.batch)
        Self.publish(5...5, on: after)
        let fourth = Self.connect(clientID, third.batch, from: socket, on: after)
        #expect(Self.data(fourth.events) == [5])
    }

    private static func handshakeWithAcknowledgements(_ harness: RouterHarness, from peer: Peer) -> String {
        let message: JSON = [
            "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"],
            "ext": ["ack": true],
        ]
        for case .reply(let reply) in harness.send([message], from: peer) { return reply["clientId"]?.text ?? "" }
        return ""
    }

    @discardableResult
    private static func connect(
        _ clientID: String, _ batch: Int, from peer: Peer, on harness: RouterHarness
    ) -> (events: [RouterHarness.Event], batch: Int) {
        let events = harness.send(
            [
                [
                    "channel": "/meta/connect", "clientId": .string(clientID), "connectionType": "websocket",
                    "ext": ["ack": .number(Double(batch))], "advice": ["timeout": 0],
                ]
            ], from: peer)
        for case .reply(let reply) in events {
            if case .number(let batch)? = reply["ext"]?["ack"] { return (events, Int(batch)) }
        }
        return (events, 0)
    }

    @Test("A publication that was stored before the restart and is sent again is stored once")
    func repeatedPublication() throws {
        let store = MemoryStore(epoch: "log")
        var drafts: [PublicationDraft] = []
        let spy = SpyingStore(store) { drafts.append($0) }
        let before = try Self.harness(store: spy)
        let (peer, clientID) = before.open()
        let message: JSON = ["channel": "/h/a", "data": 1, "id": "7", "clientId": .string(clientID)]
        before.send([message], from: peer)
        var options = PublishOptions()
        options.idempotencyKey = "key"
        let receipt = try before.publishOverHTTP(2, to: "/h/a", options: options, from: before.exchange())
        before.shutDown()
        #expect(drafts.count == 2)

        let recent = drafts.enumerated().compactMap { index, draft in
            draft.origin.map {
                StoredState.Recent(
                    origin: $0, channel: draft.channel, sequence: UInt64(index + 1), publishedAt: draft.publishedAt)
            }
        }
        let after = try RouterHarness(
            policies: before.policies, sessions: [.init(clientID: clientID)], recent: recent, store: spy)
        let again = after.socket()
        #expect(after.send([message], from: again).count == 1)
        let repeated = try after.publishOverHTTP(2, to: "/h/a", options: options, from: after.exchange())
        guard case .receipt(.success(let first))? = receipt.first,
            case .receipt(.success(let second))? = repeated.first
        else { return #expect(Bool(false)) }
        #expect(second.id == first.id)
        #expect(second.sequence == first.sequence)
        #expect(drafts.count == 2)
        // Another one is not taken for it.
        after.send([["channel": "/h/a", "data": 1, "id": "8", "clientId": .string(clientID)]], from: again)
        #expect(drafts.count == 3)
    }
}

/// Sees what is published.
private final class SpyingStore: Store {
    private let store: any Store
    private nonisolated(unsafe) let onPublish: (PublicationDraft) -> Void

    init(_ store: any Store, onPublish: @escaping (PublicationDraft) -> Void) {
        self.store = store
        self.onPublish = onPublish
    }

    func open(handler: @escaping @Sendable ([StoreOutcome]) -> Void) throws(StoreError) -> StoredState {
        try store.open(handler: handler)
    }

    func submit(_ operations: [StoreOperation]) {
        for case .publish(_, let draft) in operations { onPublish(draft) }
        store.submit(operations)
    }

    func close() { store.close() }
}

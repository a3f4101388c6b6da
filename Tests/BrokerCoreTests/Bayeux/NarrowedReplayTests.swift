import BrokerCore
import Support
import Testing

/// A token that grants less comes in the middle of a replay: what it still grants goes on, the rest stops.
@Suite("Narrowed in a replay")
struct NarrowedReplayTests {
    /// A client with `/a/x` and `/b/x`, whose histories are written alternately.
    private struct Client {
        let harness: RouterHarness
        let clientID: String
        let acknowledges: Bool
        let peer: Peer
        var batch = 0.0
        var taken: [JSON] = []

        init(acknowledges: Bool) throws {
            var policies = ChannelPolicies()
            policies[try pattern("/**")] = ChannelPolicy(historyCount: 5000)
            harness = try RouterHarness(
                policies: policies, rules: AccessRules(publish: .granted, subscribe: .granted))
            self.acknowledges = acknowledges
            harness.caller = .trusted
            let publisher = harness.socket()
            for number in 1...1200 {
                harness.publish(.number(Double(number)), to: number % 2 == 0 ? "/a/x" : "/b/x", from: publisher)
            }
            try Self.use(["/a/**", "/b/**"], seconds: 100, in: harness)
            peer = harness.socket()
            let handshake: JSON = [
                "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"],
                "ext": acknowledges ? ["ack": true] : [:],
            ]
            let reply = harness.send([handshake], from: peer)
            guard case .reply(let handshaken)? = reply.first, let clientID = handshaken["clientId"]?.text else {
                preconditionFailure("Cannot go on when the handshake was refused")
            }
            self.clientID = clientID
        }

        static func use(_ patterns: [String], seconds: Int64, in harness: RouterHarness) throws {
            let patterns = try patterns.map(pattern)
            let principal = Principal(
                subject: "alice", tokenID: nil, publish: patterns, subscribe: patterns, issuedAt: nil,
                expiresAt: harness.now.wall + seconds * 1000)
            harness.caller = Caller(principal: principal, isBrowser: true)
        }

        mutating func take(_ events: [RouterHarness.Event]) {
            for event in events {
                switch event {
                case .push(let message):
                    taken.append(message["data"] ?? message["ext"] ?? message["subscription"] ?? .null)
                case .reply(let reply): if case .number(let number)? = reply["ext"]?["ack"] { batch = number }
                default: break
                }
            }
        }

        mutating func connect() {
            var message: [String: JSON] = [
                "channel": "/meta/connect", "clientId": .string(clientID), "connectionType": "websocket",
            ]
            if acknowledges { message["ext"] = ["ack": .number(batch)] }
            take(harness.send([.object(message)], from: peer))
        }

        /// One in the middle of what it has asked for: its connection takes more when the harness drains.
        static func withinReplay(acknowledges: Bool) throws -> Self {
            var client = try Self(acknowledges: acknowledges)
            client.connect()
            client.harness.readsPromptly = false
            client.subscribe()
            client.connect()
            return client
        }

        mutating func subscribe() {
            take(
                harness.send(
                    [
                        [
                            "channel": "/meta/subscribe", "clientId": .string(clientID),
                            "subscription": ["/a/x", "/b/x"], "ext": ["replay": ["/a/x": -2, "/b/x": -2]],
                        ]
                    ], from: peer))
        }
    }

    @Test("What is kept comes whole, once and in order, and what waited behind it", arguments: [false, true])
    func kept(acknowledges: Bool) throws {
        var client = try Client.withinReplay(acknowledges: acknowledges)
        let harness = client.harness
        let before = client.taken
        // Of a client that acknowledges, the second page has been asked for.
        #expect(before.count >= 512 && before.count < 1200)

        harness.caller = .trusted
        let publisher = harness.socket()
        harness.publish("live b", to: "/b/x", from: publisher)
        harness.publish("live a", to: "/a/x", from: publisher)
        try Client.use(["/a/**"], seconds: 200, in: harness)
        client.connect()
        #expect(harness.subscriptionCount == 1)
        harness.readsPromptly = true
        harness.drain()
        client.take(harness.take(client.peer))
        for _ in 1...4 { client.connect() }

        let rest = (before.count / 2 + 1...600).map { JSON.number(Double($0 * 2)) }
        // What is taken away is told behind all that.
        #expect(client.taken == before + rest + ["live a", "/b/x"])
        #expect(harness.queuedBytes == 0)
        harness.caller = .trusted
        harness.publish("later", to: "/a/x", from: publisher)
        client.take(harness.take(client.peer))
        if acknowledges { client.connect() }
        #expect(client.taken.last == "later")
    }

    @Test("A page that its client did not get comes again, as far as it is still granted", arguments: 1...3)
    func lost(page: Int) throws {
        var client = try Client(acknowledges: true)
        client.connect()
        client.subscribe()
        for _ in 1..<page { client.connect() }
        let before = client.taken
        // The answer with the next page is lost.
        var deaf = client
        deaf.connect()
        #expect(before.count == (page - 1) * 512 && deaf.taken.count == min(page * 512, 1200))

        try Client.use(["/a/**"], seconds: 200, in: client.harness)
        for _ in 1...5 { client.connect() }
        let rest = (before.count / 2 + 1...600).map { JSON.number(Double($0 * 2)) }
        #expect(client.taken == before + rest + ["/b/x"])
    }

    @Test("Nothing is kept: the replay ends, and what the next subscription asks for comes")
    func nothingKept() throws {
        var client = try Client.withinReplay(acknowledges: false)
        let harness = client.harness
        try Client.use(["/a/y"], seconds: 200, in: harness)
        client.connect()
        client.taken = []
        harness.readsPromptly = true
        harness.drain()
        client.take(harness.take(client.peer))
        #expect(client.taken == [])
        #expect(harness.subscriptionCount == 0)
        harness.subscribe(client.clientID, to: "/a/y", from: client.peer)
        harness.caller = .trusted
        harness.publish(1, to: "/a/y", from: harness.socket())
        client.take(harness.take(client.peer))
        #expect(client.taken == [1])
    }
}

private func pattern(_ text: String) throws -> ChannelPattern {
    try ChannelPattern(text, grammar: .faye, maximumBytes: 512)
}

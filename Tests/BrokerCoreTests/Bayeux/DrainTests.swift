import BrokerCore
import Support
import Testing

/// A broker that is about to stop: whoever still comes is sent away, too, and nobody loses anything.
@Suite("Drain")
struct DrainTests {
    /// What a reply advises; nil for one that was refused.
    private static func interval(_ events: [RouterHarness.Event]) -> Int? {
        for case .reply(let reply) in events where reply["successful"] == .bool(true) {
            if let advice = reply["advice"], advice["reconnect"]?.text == "retry",
                case .number(let interval)? = advice["interval"]
            {
                return Int(interval)
            }
        }
        return nil
    }

    private static func spread(_ intervals: [Int]) -> Int { (intervals.max() ?? 0) - (intervals.min() ?? 0) }

    /// Connections are kept for requests that are under way; what comes by them must not be held until it is cut.
    @Test(
        "A connect that comes late is answered at once, with a moment of its own",
        arguments: [Peer.Kind.socket, .exchange])
    func lateConnects(kind: Peer.Kind) throws {
        var limits = Limits()
        limits.drainSpread = .seconds(30)
        let harness = try RouterHarness(limits: limits)
        let sessions = (0..<50).map { _ in
            let peer = kind == .socket ? harness.socket() : harness.exchange()
            let clientID = harness.handshake(peer)
            harness.connect(clientID, from: kind == .socket ? peer : harness.exchange())
            return (clientID, kind == .socket ? peer : harness.exchange())
        }
        harness.shutDown()
        for (_, peer) in sessions { #expect(harness.take(peer) == []) }
        let intervals = try sessions.map { clientID, peer in
            try #require(Self.interval(harness.connect(clientID, from: peer)))
        }
        #expect(Set(intervals).count > 40)
        #expect(Self.spread(intervals) > 20_000)
    }

    @Test("So are a sign of life beside an event stream, and a handshake")
    func lateBeats() throws {
        var limits = Limits()
        limits.drainSpread = .seconds(30)
        let harness = try RouterHarness(limits: limits)
        let clients = (0..<50).map { _ in harness.handshake(harness.exchange()) }
        for clientID in clients { _ = harness.stream(of: clientID) }
        harness.shutDown()
        let beats = try clients.map { clientID in
            try #require(
                Self.interval(
                    harness.send(
                        [["channel": "/meta/connect", "clientId": .string(clientID), "connectionType": "eventsource"]],
                        from: harness.exchange())))
        }
        let handshake: JSON = [
            "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"],
        ]
        let handshakes = try (0..<50).map { _ in
            try #require(Self.interval(harness.send([handshake], from: harness.exchange())))
        }
        #expect(Self.spread(beats) > 20_000)
        #expect(Self.spread(handshakes) > 20_000)
    }

    /// What is written to a connection that is dead, or is not read, goes nowhere.
    @Test("What was on its way when the broker stopped comes again, unless the client has taken it")
    func onItsWay() throws {
        let store = RememberingStore()
        var policies = ChannelPolicies()
        policies[try ChannelPattern("/h", grammar: .faye, maximumBytes: 9)] = ChannelPolicy(historyCount: 10)
        let before = try RouterHarness(policies: policies, store: store)
        let clients = (0..<3).map { _ in before.open() }
        let stream = before.stream(of: clients[2].clientID)
        for (peer, clientID) in clients { before.subscribe(clientID, to: "/h", from: peer) }
        before.publish(1, to: "/h", from: before.socket())
        // It had set out before the message came.
        before.shutDown(takenBy: clients[0].peer, stream)
        #expect(store.sessions.map(\.cursor).sorted() == [0, 1, 1])

        let after = try RouterHarness(policies: policies, sessions: store.sessions, store: store)
        let got = clients.map { _, clientID in after.connect(clientID, from: after.socket()).filter(\.isPush) }
        #expect(got == [[], [.message(1, on: "/h", sequence: 1)], []])
    }

    /// A connect that comes when the broker has begun to stop may have set out before what was on its way.
    @Test("A late connect says nothing of what was on its way", arguments: [false, true])
    func lateConnect(isStream: Bool) throws {
        let store = RememberingStore()
        var policies = ChannelPolicies()
        policies[try ChannelPattern("/h", grammar: .faye, maximumBytes: 9)] = ChannelPolicy(historyCount: 10)
        var limits = Limits()
        limits.streamDoubt = .seconds(1)
        let harness = try RouterHarness(limits: limits, policies: policies, store: store)
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/h", from: peer)
        let taking = isStream ? harness.stream(of: clientID) : peer
        harness.publish(1, to: "/h", from: harness.socket())
        harness.shutDown()
        // Nothing is written to connections any more.
        harness.publish(2, to: "/h", from: harness.socket())
        harness.advance(by: .seconds(2))
        harness.send(
            [
                [
                    "channel": "/meta/connect", "clientId": .string(clientID),
                    "connectionType": isStream ? "eventsource" : "websocket",
                ]
            ], from: isStream ? harness.exchange() : peer)
        harness.finish(takenBy: [])
        #expect(store.sessions.map(\.cursor) == [0])
        harness.finish(takenBy: [taking])
        #expect(store.sessions.map(\.cursor) == [1])
    }

    /// The connection is lost twice while the client gets what it missed, and then the broker stops: nothing of what was
    /// on its way when the second one was lost is known to have arrived.
    @Test("A client that is away when the broker stops misses nothing of what it was getting")
    func lostTwice() throws {
        let store = RememberingStore()
        var policies = ChannelPolicies()
        policies[try ChannelPattern("/h", grammar: .faye, maximumBytes: 9)] = ChannelPolicy(historyCount: 5000)
        // Hardly anything waits in the queue: the rest is read in pages.
        var limits = Limits()
        limits.queuedMessages = 10
        let before = try RouterHarness(limits: limits, policies: policies, store: store)
        let (peer, clientID) = before.open()
        before.subscribe(clientID, to: "/h", from: peer)
        before.close(peer)
        let publisher = before.socket()
        for number in 1...1200 { before.publish(.number(Double(number)), to: "/h", from: publisher) }
        before.readsPromptly = false
        let again = before.socket()
        let page = before.connect(clientID, from: again)
        #expect(page.contains(.message(1, on: "/h", sequence: 1)))
        #expect(!page.contains(.message(1000, on: "/h", sequence: 1000)))
        before.close(again)
        before.shutDown()

        let after = try RouterHarness(policies: policies, sessions: store.sessions, store: store)
        let got = after.connect(clientID, from: after.socket()).filter(\.isPush)
        #expect(got == (1...1200).map { .message(.number(Double($0)), on: "/h", sequence: $0) })
    }
}

extension RouterHarness.Event {
    fileprivate var isPush: Bool { if case .push = self { true } else { false } }
}

import BrokerCore
import Support
import Testing

@Suite("The end of sessions")
struct LifetimeTests {
    private static func disconnected(_ clientID: String) -> RouterHarness.Event {
        .reply(["channel": "/meta/disconnect", "clientId": .string(clientID), "successful": true])
    }

    private static func lastConnect(_ clientID: String) -> RouterHarness.Event {
        .reply([
            "channel": "/meta/connect", "clientId": .string(clientID), "successful": true,
            "advice": ["reconnect": "none"],
        ])
    }

    @Test("A session ends twice the timeout after its last connect arrived")
    func expiry() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: peer)
        harness.advance(by: .seconds(50))
        #expect(harness.connect(clientID, from: peer) == [])
        // Publishing and subscribing do not prolong it.
        harness.advance(by: .seconds(100))
        harness.subscribe(clientID, to: "/b", from: peer)
        harness.publish(1, to: "/c", from: peer)
        _ = harness.take(peer)
        harness.advance(by: .milliseconds(19_999))
        #expect(harness.sessionCount == 1)
        #expect(harness.take(peer) == [])
        harness.advance(by: .milliseconds(1))
        #expect(harness.sessionCount == 0)
        #expect(harness.subscriptionCount == 0)
        #expect(harness.take(peer) == [.close])
    }

    @Test("A session that never connects ends twice the timeout after its handshake")
    func expiryWithoutConnect() throws {
        let harness = try RouterHarness()
        _ = harness.handshake(harness.exchange())
        harness.advance(by: .milliseconds(119_999))
        #expect(harness.sessionCount == 1)
        harness.advance(by: .milliseconds(1))
        #expect(harness.sessionCount == 0)
    }

    @Test("Disconnect: the held connect is answered, then the disconnect, then the socket closes")
    func disconnect() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: ["/a", "/b/**"], from: peer)
        harness.connect(clientID, from: peer)
        #expect(
            harness.disconnect(clientID, from: peer)
                == [Self.lastConnect(clientID), Self.disconnected(clientID), .close])
        #expect(harness.sessionCount == 0)
        #expect(harness.subscriptionCount == 0)
        harness.close(peer)
        #expect(harness.take(peer) == [.release])
    }

    @Test("Disconnect over HTTP while a poll is held")
    func disconnectPolling() throws {
        let harness = try RouterHarness()
        let clientID = harness.openPolling()
        let poll = harness.exchange()
        #expect(harness.connect(clientID, from: poll) == [])
        #expect(
            harness.disconnect(clientID, from: harness.exchange()) == [Self.disconnected(clientID), .finish])
        #expect(harness.take(poll) == [Self.lastConnect(clientID), .finish])
    }

    @Test("Disconnect from elsewhere closes the session's socket")
    func disconnectFromElsewhere() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        #expect(
            harness.disconnect(clientID, from: harness.exchange()) == [Self.disconnected(clientID), .finish])
        #expect(harness.take(peer) == [.close])
    }

    @Test("Disconnects that are refused carry no client id")
    func refusedDisconnect() throws {
        let harness = try RouterHarness()
        let peer = harness.socket()
        #expect(
            harness.disconnect("x", from: peer)
                == [.reply(["channel": "/meta/disconnect", "successful": false, "error": "401:x:Unknown client"])])
        #expect(
            harness.send([["channel": "/meta/disconnect"]], from: peer) == [
                .reply([
                    "channel": "/meta/disconnect", "successful": false,
                    "error": "402:clientId:Missing required parameter",
                ])
            ])
    }

    @Test("Sessions that the store remembers go on: subscribed, first connect answered at once, then they expire")
    func restored() throws {
        let pattern = try ChannelPattern("/a/*", grammar: .faye, maximumBytes: 10)
        let stored = StoredState.Session(clientID: "remembered", subscriptions: [pattern: 0])
        let harness = try RouterHarness(sessions: [stored])
        #expect(harness.subscriptionCount == 1)
        harness.publish(1, to: "/a/b", from: harness.socket())
        let peer = harness.socket()
        #expect(
            harness.connect("remembered", from: peer)
                == [.message(1, on: "/a/b"), .connected("remembered")])
        harness.advance(by: .seconds(120))
        #expect(harness.sessionCount == 0)
    }

    @Test("The broker stops: what is held is answered, each with advice to come back at a moment of its own")
    func shutDown() throws {
        var limits = Limits()
        limits.drainSpread = .seconds(30)
        let harness = try RouterHarness(limits: limits)
        let sessions = (0..<50).map { _ in (harness.openPolling(), harness.exchange()) }
        for (clientID, poll) in sessions { harness.connect(clientID, from: poll) }
        let (peer, other) = harness.open()
        harness.connect(other, from: peer)
        harness.shutDown()
        var intervals: Set<Int> = []
        for (clientID, poll) in sessions {
            let events = harness.take(poll)
            #expect(events.count == 2)
            #expect(events.last == .finish)
            intervals.insert(try #require(interval(of: events.first, in: clientID)))
        }
        #expect(intervals.allSatisfy { 0...30_000 ~= $0 })
        #expect(intervals.count > 40, "they are spread")
        #expect((intervals.max() ?? 0) - (intervals.min() ?? 0) > 20_000)
        #expect(try #require(interval(of: harness.take(peer).first, in: other)) <= 30_000)
    }

    /// The advised interval of the reply to a connect.
    private func interval(of event: RouterHarness.Event?, in clientID: String) -> Int? {
        guard case .reply(let reply) = event, reply["clientId"]?.text == clientID, reply["successful"] == .bool(true),
            let advice = reply["advice"], advice["reconnect"]?.text == "retry",
            case .number(let interval) = advice["interval"]
        else { return nil }
        return Int(interval)
    }
}

import BrokerCore
import Support
import Testing

/// Event streams, of sessions and of channels.
@Suite("Event streams")
struct StreamTests {
    private static func beat(_ harness: RouterHarness, _ clientID: String) -> [RouterHarness.Event] {
        harness.send(
            [["channel": "/meta/connect", "clientId": .string(clientID), "connectionType": "eventsource"]],
            from: harness.exchange())
    }

    private static func heartbeat(_ clientID: String) -> RouterHarness.Event {
        .reply([
            "channel": "/meta/connect", "clientId": .string(clientID), "successful": true,
            "advice": ["reconnect": "retry", "interval": 60_000, "timeout": 0],
        ])
    }

    @Test("A session's messages go to its stream, what waited first; connects are signs of life")
    func session() throws {
        let harness = try RouterHarness()
        let clientID = harness.handshake(harness.exchange())
        harness.subscribe(clientID, to: "/a", from: harness.exchange())
        harness.publish(1, to: "/a", from: harness.socket())
        let stream = harness.stream(of: clientID)
        #expect(harness.take(stream) == [.open, .message(1, on: "/a")])
        #expect(Self.beat(harness, clientID) == [Self.heartbeat(clientID), .finish])
        harness.publish(2, to: "/a", from: harness.socket())
        #expect(harness.take(stream) == [.message(2, on: "/a")])
        // The stream alone does not keep the session alive.
        harness.advance(by: .seconds(121))
        #expect(harness.take(stream) == [.close])
        #expect(harness.sessionCount == 0)
    }

    @Test("A broker that stops advises clients of streams, too, when to come back; but not streams of channels")
    func shutDown() throws {
        var limits = Limits()
        limits.drainSpread = .seconds(30)
        let harness = try RouterHarness(limits: limits)
        let clientID = harness.handshake(harness.exchange())
        let stream = harness.stream(of: clientID)
        let bare = try harness.stream(of: "/a", replay: nil)
        let (socket, _) = harness.open()
        _ = (harness.take(stream), harness.take(bare), harness.take(socket))
        harness.shutDown()
        guard case .reply(let message)? = harness.take(stream).first,
            case .number(let interval)? = message["advice"]?["interval"]
        else {
            Issue.record("There is no advice.")
            return
        }
        #expect(message["channel"] == "/meta/connect")
        #expect(message["id"] == nil)
        #expect((0...30_000).contains(interval))
        #expect(harness.take(bare) == [])
        // Its next connect is under way; a second answer would confuse other clients than ours.
        #expect(harness.take(socket) == [])
    }

    /// A session with a stream of /h, which has a history; the stream has got message 1.
    private static func streaming() throws -> (harness: RouterHarness, clientID: String) {
        var policies = ChannelPolicies()
        policies[try ChannelPattern("/h", grammar: .faye, maximumBytes: 100)] = ChannelPolicy(historyCount: 1000)
        let harness = try RouterHarness(policies: policies)
        let clientID = harness.handshake(harness.exchange())
        harness.subscribe(clientID, to: "/h", from: harness.exchange())
        let stream = harness.stream(of: clientID)
        harness.publish(1, to: "/h", from: harness.socket())
        #expect(harness.take(stream) == [.open, .message(1, on: "/h", sequence: 1)])
        return (harness, clientID)
    }

    @Test(
        "Signs of life do not say what has arrived over a stream, which may be half open: it comes again over the next")
    func halfOpen() throws {
        let (harness, clientID) = try Self.streaming()
        for _ in 1...3 {
            #expect(Self.beat(harness, clientID) == [Self.heartbeat(clientID), .finish])
            harness.advance(by: .seconds(15))
        }
        #expect(harness.take(harness.stream(of: clientID)) == [.open, .message(1, on: "/h", sequence: 1)])
    }

    @Test("A stream that is still there after a long time has taken what was written to it")
    func longStream() throws {
        let (harness, clientID) = try Self.streaming()
        for _ in 1...11 {
            #expect(Self.beat(harness, clientID) == [Self.heartbeat(clientID), .finish])
            harness.advance(by: .seconds(60))
        }
        harness.publish(2, to: "/h", from: harness.socket())
        #expect(harness.take(harness.stream(of: clientID)) == [.open, .message(2, on: "/h", sequence: 2)])
    }

    @Test("Without its stream a session gets what waits with the connect")
    func withoutStream() throws {
        let harness = try RouterHarness()
        let clientID = harness.handshake(harness.exchange())
        harness.subscribe(clientID, to: "/a", from: harness.exchange())
        harness.publish(1, to: "/a", from: harness.socket())
        #expect(Self.beat(harness, clientID) == [.message(1, on: "/a"), Self.heartbeat(clientID), .finish])
    }

    @Test("Sessions turn from streams to sockets and polls, and back")
    func switching() throws {
        let harness = try RouterHarness()
        let (socket, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: socket)
        let stream = harness.stream(of: clientID)
        harness.publish(1, to: "/a", from: harness.socket())
        #expect(harness.take(stream) == [.open, .message(1, on: "/a")])
        #expect(harness.take(socket) == [])
        harness.connect(clientID, from: socket)
        harness.publish(2, to: "/a", from: harness.socket())
        #expect(harness.take(socket) == [.message(2, on: "/a")])
        #expect(harness.take(stream) == [])
        // The stream that was left behind ends without taking the session along.
        harness.close(stream)
        harness.publish(3, to: "/a", from: harness.socket())
        #expect(harness.take(socket) == [.message(3, on: "/a")])
    }

    @Test("A held connect is answered when a stream takes over")
    func heldConnect() throws {
        let harness = try RouterHarness()
        let clientID = harness.openPolling()
        let held = harness.exchange()
        #expect(harness.connect(clientID, from: held) == [])
        let stream = harness.stream(of: clientID)
        #expect(harness.take(held) == [.connected(clientID), .finish])
        #expect(harness.take(stream) == [.open])
    }

    @Test("A session that nobody knows has no stream")
    func unknown() throws {
        let harness = try RouterHarness()
        guard case .refuse(let error)? = harness.take(harness.stream(of: "nobody")).first else {
            return #expect(Bool(false))
        }
        #expect(error.wire == "401:nobody:Unknown client")
    }

    @Test("A disconnect ends the stream")
    func disconnect() throws {
        let harness = try RouterHarness()
        let clientID = harness.handshake(harness.exchange())
        let stream = harness.stream(of: clientID)
        _ = harness.take(stream)
        harness.disconnect(clientID, from: harness.exchange())
        #expect(harness.take(stream) == [.close])
    }

    @Test("A stream of channels: what is retained, then what is live; it ends with its connection")
    func channels() throws {
        let harness = try RouterHarness()
        harness.publish(1, to: "/a/x", from: harness.socket(), ext: ["retain": true])
        let stream = try harness.stream(of: "/a/*", replay: nil)
        harness.publish(2, to: "/a/y", from: harness.socket())
        #expect(
            harness.take(stream) == [
                .open, .message(1, on: "/a/x", sequence: 1, retained: true), .message(2, on: "/a/y"),
            ])
        #expect(harness.sessionCount == 1)
        harness.advance(by: .seconds(1000))
        harness.publish(3, to: "/a/y", from: harness.socket())
        #expect(harness.take(stream) == [.message(3, on: "/a/y")])
        harness.close(stream)
        #expect(harness.sessionCount == 0)
        #expect(harness.subscriptionCount == 0)
        #expect(harness.unreleasedCount == 0)
    }

    @Test("Streams that there are not", arguments: ["/meta/*", "/service/x"])
    func forbidden(pattern: String) throws {
        let harness = try RouterHarness()
        let stream = try harness.stream(of: pattern, replay: nil)
        guard case .refuse(let error)? = harness.take(stream).first else { return #expect(Bool(false)) }
        #expect(error.wire == "403:\(pattern):Forbidden channel")
        #expect(harness.sessionCount == 0)
    }

    @Test("A store that fails refuses the stream; one that is slow may find it gone")
    func store() throws {
        let harness = try RouterHarness()
        harness.storeMode = .failing
        let refused = try harness.stream(of: "/a", replay: nil)
        guard case .refuse(let error)? = harness.take(refused).first else { return #expect(Bool(false)) }
        #expect(error.code == 500)
        #expect(harness.sessionCount == 0)
        harness.storeMode = .held
        let gone = try harness.stream(of: "/a", replay: nil)
        harness.close(gone)
        harness.storeMode = .prompt
        harness.runStore()
        #expect(harness.sessionCount == 0)
        #expect(harness.unreleasedCount == 0)
    }

    @Test("A session that ends while the store is at its stream leaves nothing bound, and the stream is refused")
    func endedWhileOpening() throws {
        let harness = try RouterHarness(rules: AccessRules())
        let principal = Principal(subject: "alice", tokenID: "one", expiresAt: harness.now.wall + 100_000)
        harness.storeMode = .held
        harness.caller = Caller(principal: principal, isBrowser: true)
        let (refused, gone) = (try harness.stream(of: "/a", replay: nil), try harness.stream(of: "/a", replay: nil))
        harness.revoke(.token("one"))
        #expect(harness.sessionCount == 0)
        harness.caller = nil
        let others = [try harness.stream(of: "/a", replay: nil), try harness.stream(of: "/a", replay: nil)]
        harness.close(gone)
        harness.runStore()
        guard case .refuse(let error)? = harness.take(refused).first else { return #expect(Bool(false)) }
        #expect(error.code == 401)
        harness.publish(1, to: "/a", from: harness.socket())
        for other in others { #expect(harness.take(other) == [.open, .message(1, on: "/a")]) }
        #expect(harness.unreleasedCount == 0)
    }
}

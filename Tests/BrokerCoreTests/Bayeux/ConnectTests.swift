import BrokerCore
import Support
import Testing

/// A connect that is refused: its members, the error, and whether the session is unknown.
private struct RefusalRow: Sendable, CustomStringConvertible {
    let members: [String: JSON]
    let error: JSON

    var description: String { "\(JSON.object(members))" }
}

/// A client's `advice.timeout`, and after how many milliseconds the connect is answered.
private struct TimeoutRow: Sendable {
    let sent: JSON
    let milliseconds: Int
}

@Suite("Connect over WebSocket")
struct ConnectTests {
    private static let missingType: JSON = "402:connectionType:Missing required parameter"
    private static let refusals = [
        RefusalRow(members: ["connectionType": "websocket"], error: "402:clientId:Missing required parameter"),
        RefusalRow(
            members: ["connectionType": "websocket", "clientId": ""], error: "402:clientId:Missing required parameter"),
        RefusalRow(members: ["connectionType": "websocket", "clientId": "x"], error: "401:x:Unknown client"),
        RefusalRow(members: ["connectionType": "websocket", "clientId": [1]], error: "401:[1]:Unknown client"),
        RefusalRow(
            members: ["connectionType": "iframe", "clientId": "x"], error: "301:iframe:Connection types not supported"),
        RefusalRow(members: ["connectionType": 5, "clientId": "x"], error: "301:5:Connection types not supported"),
        RefusalRow(members: ["clientId": "x"], error: missingType),
        RefusalRow(members: [:], error: missingType),
        RefusalRow(members: ["connectionType": ""], error: missingType),
        RefusalRow(
            members: ["connectionType": "websocket", "clientId": "x", "error": "no"], error: "401:x:Unknown client"),
    ]

    @Test("Later checks overwrite earlier ones; no client id in the reply", arguments: refusals)
    private func refusal(row: RefusalRow) throws {
        var limits = Limits()
        limits.handshakeSpread = .zero
        let harness = try RouterHarness(limits: limits)
        var message = row.members
        message["channel"] = "/meta/connect"
        let isUnknown = !["", nil].contains(message["clientId"])
        #expect(
            harness.send([.object(message)], from: harness.socket()) == [
                .reply([
                    "channel": "/meta/connect", "successful": false, "error": row.error,
                    "advice": isUnknown ? ["reconnect": "handshake", "interval": 0] : ["reconnect": "handshake"],
                ])
            ])
    }

    @Test("A bad type or an error of its own does not touch a session that exists")
    func refusedForKnownSession() throws {
        let harness = try RouterHarness()
        let peer = harness.socket()
        let clientID = harness.handshake(peer)
        var message: JSON = ["channel": "/meta/connect", "clientId": .string(clientID), "connectionType": "iframe"]
        guard case .reply(let reply)? = harness.send([message], from: peer).first else { return #expect(Bool(false)) }
        #expect(reply["error"] == "301:iframe:Connection types not supported")
        #expect(reply["advice"] == ["reconnect": "handshake"])
        #expect(reply["clientId"] == nil)
        message = [
            "channel": "/meta/connect", "clientId": .string(clientID), "connectionType": "websocket", "error": "no",
        ]
        guard case .reply(let second)? = harness.send([message], from: peer).first else { return #expect(Bool(false)) }
        #expect(second["error"] == "no")
        #expect(second["advice"] == ["reconnect": "none"])
        // Still the first connect.
        #expect(harness.connect(clientID, from: peer) == [.connected(clientID)])
    }

    @Test("Sessions that are unknown come back spread over time")
    func spread() throws {
        let harness = try RouterHarness()
        let peer = harness.socket()
        var intervals: Set<JSON> = []
        for _ in 0..<50 {
            guard case .reply(let reply)? = harness.connect("x", from: peer).first else { continue }
            if case .number(let interval)? = reply["advice"]?["interval"] {
                #expect((0...1000).contains(interval))
                intervals.insert(.number(interval))
            }
        }
        #expect(intervals.count > 20)
    }

    @Test("The first connect is answered at once, later ones at the timeout, without messages")
    func holding() throws {
        let harness = try RouterHarness()
        let peer = harness.socket()
        let clientID = harness.handshake(peer)
        #expect(harness.connect(clientID, from: peer) == [.connected(clientID)])
        harness.subscribe(clientID, to: "/a", from: peer)
        for _ in 0..<3 {
            #expect(harness.connect(clientID, from: peer) == [])
            harness.advance(by: .milliseconds(59_999))
            #expect(harness.take(peer) == [])
            #expect(
                harness.publish(1, to: "/a", from: peer)
                    == [.acknowledged("/a"), .message(1, on: "/a")])
            harness.advance(by: .milliseconds(1))
            #expect(harness.take(peer) == [.connected(clientID)])
        }
    }

    private static let timeouts = [
        TimeoutRow(sent: 0, milliseconds: 0),
        TimeoutRow(sent: -5, milliseconds: 0),
        TimeoutRow(sent: 1000, milliseconds: 1000),
        TimeoutRow(sent: 60_001, milliseconds: 60_000),
        TimeoutRow(sent: 1e300, milliseconds: 60_000),
        TimeoutRow(sent: "5", milliseconds: 60_000),
        TimeoutRow(sent: nil, milliseconds: 60_000),
    ]

    @Test("The client's timeout counts, up to the broker's", arguments: timeouts)
    private func timeout(row: TimeoutRow) throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        var events = harness.connect(clientID, from: peer, timeout: row.sent)
        if row.milliseconds > 0 {
            #expect(events == [])
            harness.advance(by: .milliseconds(row.milliseconds - 1))
            #expect(harness.take(peer) == [])
            harness.advance(by: .milliseconds(1))
            events = harness.take(peer)
        }
        #expect(events == [.connected(clientID)])
    }

    @Test("A second connect has the first answered at once, and is held")
    func doubleConnect() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        func connect(_ id: JSON) -> [RouterHarness.Event] {
            guard case .object(var members) = RouterHarness.connect(clientID, over: .socket) else { return [] }
            members["id"] = id
            return harness.send([.object(members)], from: peer)
        }
        func ids(_ events: [RouterHarness.Event]) -> [JSON?] {
            events.map { if case .reply(let reply) = $0 { reply["id"] } else { nil } }
        }
        #expect(connect("1") == [])
        harness.advance(by: .seconds(40))
        #expect(ids(connect("2")) == ["1"])
        harness.advance(by: .milliseconds(59_999))
        #expect(harness.take(peer) == [])
        harness.advance(by: .milliseconds(1))
        #expect(ids(harness.take(peer)) == ["2"])
    }

    struct IDRow: CustomTestStringConvertible, Sendable {
        var testDescription: String { id.map { "\($0)" } ?? "none" }
        let id: JSON?
        /// What the answer repeats.
        let answered: JSON?
    }

    private static let long = String(repeating: "x", count: 300)

    @Test(
        "The answer to a connect that was held repeats its id, and nothing that JavaScript takes for false",
        arguments: [
            IDRow(id: "1", answered: "1"), IDRow(id: 7, answered: 7), IDRow(id: -1.5, answered: -1.5),
            IDRow(id: "\"\\\n\u{2028}\u{1F600}", answered: "\"\\\n\u{2028}\u{1F600}"),
            IDRow(id: .string(long), answered: .string(long)),
            IDRow(id: nil, answered: nil), IDRow(id: "", answered: nil), IDRow(id: 0, answered: nil),
            IDRow(id: .null, answered: nil),
        ])
    func idOfAHeldConnect(row: IDRow) throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        guard case .object(var members) = RouterHarness.connect(clientID, over: .socket) else { return }
        members["id"] = row.id
        #expect(harness.send([.object(members)], from: peer) == [])
        harness.advance(by: .seconds(60))
        guard case .reply(let reply)? = harness.take(peer).first else { return #expect(Bool(false)) }
        #expect(reply["id"] == row.answered)
        #expect(reply["channel"] == "/meta/connect")
        #expect(reply["clientId"] == .string(clientID))
    }

    @Test("A second socket takes the session over; the old one's end does not touch it")
    func twoSockets() throws {
        let harness = try RouterHarness(loopCount: 2)
        let (old, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: old)
        harness.connect(clientID, from: old)
        let new = harness.socket(loop: 1)
        #expect(harness.connect(clientID, from: new) == [.connected(clientID)])
        #expect(harness.take(old) == [.connected(clientID)])
        #expect(harness.connect(clientID, from: new) == [])
        harness.close(old)
        #expect(harness.take(old) == [.release])
        #expect(harness.take(new) == [])
        harness.publish(1, to: "/a", from: harness.socket())
        #expect(harness.take(new) == [.message(1, on: "/a")])
    }

    @Test("A socket turns to another session: the first has its connect answered, and queues")
    func socketTurns() throws {
        let harness = try RouterHarness()
        let (peer, first) = harness.open()
        harness.subscribe(first, to: "/a", from: peer)
        harness.connect(first, from: peer)
        let second = harness.handshake(peer)
        #expect(
            harness.connect(second, from: peer) == [.connected(first), .connected(second)])
        #expect(harness.publish(1, to: "/a", from: peer) == [.acknowledged("/a")])
        #expect(
            harness.connect(first, from: peer)
                == [.message(1, on: "/a"), .connected(first)])
    }

    @Test("Until a connect binds the socket messages wait; they go out before the reply")
    func queueBeforeConnect() throws {
        let harness = try RouterHarness()
        let peer = harness.socket()
        let clientID = harness.handshake(peer)
        harness.subscribe(clientID, to: "/a", from: peer)
        for number in 0..<3 { harness.publish(.number(Double(number)), to: "/a", from: harness.socket()) }
        #expect(harness.take(peer) == [])
        #expect(
            harness.connect(clientID, from: peer) == [
                .message(0, on: "/a"), .message(1, on: "/a"),
                .message(2, on: "/a"), .connected(clientID),
            ])
    }

    @Test("A lost socket: messages wait, and a new socket gets them at once")
    func resumption() throws {
        let harness = try RouterHarness()
        let (old, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: old)
        harness.connect(clientID, from: old)
        harness.close(old)
        #expect(harness.take(old) == [.release])
        harness.publish(1, to: "/a", from: harness.socket())
        let new = harness.socket()
        #expect(
            harness.connect(clientID, from: new)
                == [.message(1, on: "/a"), .connected(clientID)])
        #expect(harness.connect(clientID, from: new) == [])
    }

    @Test("A socket that turns to another session has nothing to do with the first one any more")
    func turnedSocket() throws {
        let harness = try RouterHarness()
        let socket = harness.socket()
        func handshake() -> String {
            let message: JSON = [
                "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"],
                "ext": ["ack": true],
            ]
            for case .reply(let reply) in harness.send([message], from: socket) {
                if let clientID = reply["clientId"]?.text { return clientID }
            }
            preconditionFailure("Cannot go on when the handshake was refused")
        }
        let (first, second) = (handshake(), handshake())
        for _ in 1...2 { harness.connect(first, from: socket) }
        harness.connect(second, from: socket)
        harness.disconnect(first, from: harness.exchange())
        // This one takes the first one's place.
        let stream = try harness.stream(of: "/a", replay: nil)
        harness.close(socket)
        harness.publish(1, to: "/a", from: harness.socket())
        #expect(harness.take(stream) == [.open, .message(1, on: "/a")])
    }

    @Test("Messages that wait are bounded: the oldest make room")
    func queueBound() throws {
        var limits = Limits()
        limits.queuedMessages = 2
        let harness = try RouterHarness(limits: limits)
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: peer)
        harness.close(peer)
        for number in 0..<5 { harness.publish(.number(Double(number)), to: "/a", from: harness.socket()) }
        #expect(
            harness.connect(clientID, from: harness.socket()) == [
                .push(["channel": "/a", "ext": ["epoch": "log", "gap": ["count": 3]]]),
                .message(3, on: "/a"), .message(4, on: "/a"),
                .connected(clientID),
            ])
    }
}

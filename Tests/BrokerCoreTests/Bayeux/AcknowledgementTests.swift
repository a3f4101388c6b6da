import BrokerCore
import Support
import Testing

/// CometD's acknowledgement extension: at least once.
@Suite("Acknowledged messages")
struct AcknowledgementTests {
    private static func handshake(_ harness: RouterHarness, from peer: Peer, ack: JSON = true) -> JSON? {
        let message: JSON = [
            "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket", "long-polling"],
            "ext": ["ack": ack],
        ]
        for case .reply(let reply) in harness.send([message], from: peer) { return reply }
        return nil
    }

    private static func connect(
        _ clientID: String, _ batch: Int?, over kind: Peer.Kind, timeout: Int? = nil
    ) -> JSON {
        var members: [String: JSON] = [
            "channel": "/meta/connect", "clientId": .string(clientID),
            "connectionType": kind == .socket ? "websocket" : "long-polling",
        ]
        if let batch { members["ext"] = ["ack": .number(Double(batch))] }
        if let timeout { members["advice"] = ["timeout": .number(Double(timeout))] }
        return .object(members)
    }

    /// The data of messages, and the batch of the connect's reply behind them.
    private static func parts(_ events: [RouterHarness.Event]) -> (data: [JSON], batch: JSON?) {
        var data: [JSON] = []
        var batch: JSON?
        for event in events {
            switch event {
            case .push(let message): data.append(message["data"] ?? message["ext"] ?? .null)
            case .reply(let reply): batch = reply["ext"]?["ack"]
            default: break
            }
        }
        return (data, batch)
    }

    private static func open(_ kind: Peer.Kind) throws -> (harness: RouterHarness, peer: () -> Peer, clientID: String) {
        let harness = try RouterHarness()
        let socket = kind == .socket ? harness.socket() : nil
        let peer = { socket ?? harness.exchange() }
        let reply = handshake(harness, from: peer())
        #expect(reply?["ext"] == ["ack": true])
        let clientID = reply?["clientId"]?.text ?? ""
        #expect(parts(harness.send([connect(clientID, 0, over: kind)], from: peer())).batch == 1)
        harness.subscribe(clientID, to: "/a", from: peer())
        return (harness, peer, clientID)
    }

    @Test("Turned on by true or an object, and by nothing else")
    func negotiation() throws {
        let harness = try RouterHarness()
        for (ack, isOn) in [(true, true), (["enabled": true], true), (false, false), (1, false), ("yes", false)]
            as [(JSON, Bool)]
        {
            let reply = Self.handshake(harness, from: harness.socket(), ack: ack)
            #expect(reply?["ext"] == (isOn ? ["ack": true] : nil))
        }
    }

    @Test(
        "Messages travel with the answers to connects, over every transport", arguments: [Peer.Kind.socket, .exchange])
    func travel(kind: Peer.Kind) throws {
        let (harness, peer, clientID) = try Self.open(kind)
        let held = peer()
        #expect(harness.send([Self.connect(clientID, 1, over: kind)], from: held) == [])
        harness.publish(1, to: "/a", from: harness.socket())
        let first = Self.parts(harness.take(held))
        #expect(first.data == [1])
        #expect(first.batch == 2)
        // Nothing is pushed while no connect is held.
        harness.publish(2, to: "/a", from: harness.socket())
        #expect(harness.take(held) == [])
        let second = Self.parts(harness.send([Self.connect(clientID, 2, over: kind)], from: peer()))
        #expect(second.data == [2])
        #expect(second.batch == 3)
    }

    @Test("What is not acknowledged comes again, before what is new", arguments: [Peer.Kind.socket, .exchange])
    func again(kind: Peer.Kind) throws {
        let (harness, peer, clientID) = try Self.open(kind)
        for number in 1...2 { harness.publish(.number(Double(number)), to: "/a", from: harness.socket()) }
        #expect(Self.parts(harness.send([Self.connect(clientID, 1, over: kind)], from: peer())).data == [1, 2])
        harness.publish(3, to: "/a", from: harness.socket())
        let repeated = Self.parts(harness.send([Self.connect(clientID, 1, over: kind)], from: peer()))
        #expect(repeated.data == [1, 2, 3])
        #expect(repeated.batch == 3)
        let rest = Self.parts(harness.send([Self.connect(clientID, 3, over: kind, timeout: 0)], from: peer()))
        #expect(rest.data == [])
    }

    @Test("A socket that is lost with messages on it loses none")
    func lostSocket() throws {
        let (harness, peer, clientID) = try Self.open(.socket)
        let socket = peer()
        harness.send([Self.connect(clientID, 1, over: .socket)], from: socket)
        harness.publish(1, to: "/a", from: harness.socket())
        #expect(Self.parts(harness.take(socket)).data == [1])
        harness.close(socket)
        harness.publish(2, to: "/a", from: harness.socket())
        // Over another transport, the batch that was last seen.
        let events = harness.send([Self.connect(clientID, 1, over: .exchange)], from: harness.exchange())
        #expect(Self.parts(events).data == [1, 2])
    }

    @Test(
        "A client that says -1, or nothing, has got nothing: all that it has not acknowledged comes again",
        arguments: [-1, nil], [Peer.Kind.socket, .exchange])
    func nothingReceived(batch: Int?, kind: Peer.Kind) throws {
        let (harness, peer, clientID) = try Self.open(kind)
        harness.publish(1, to: "/a", from: harness.socket())
        let first = Self.parts(harness.send([Self.connect(clientID, 1, over: kind)], from: peer()))
        #expect(first.data == [1])
        // Swallowed, again and again.
        for _ in 1...3 {
            let again = Self.parts(harness.send([Self.connect(clientID, batch, over: kind)], from: peer()))
            #expect(again.data == [1])
        }
        harness.publish(2, to: "/a", from: harness.socket())
        let last = Self.parts(harness.send([Self.connect(clientID, batch, over: kind)], from: peer()))
        #expect(last.data == [1, 2])
        guard case .number(let number)? = last.batch else { return #expect(Bool(false)) }
        // What it has acknowledged does not come again, whatever it says.
        let acknowledged = Self.connect(clientID, Int(number), over: kind, timeout: 0)
        #expect(Self.parts(harness.send([acknowledged], from: peer())).data == [])
        let nothing = Self.connect(clientID, batch, over: kind, timeout: 0)
        #expect(Self.parts(harness.send([nothing], from: peer())).data == [])
    }

    @Test("A poll that is held and swallowed with its answer: the next one, over any transport, brings it again")
    func swallowedPoll() throws {
        let (harness, _, clientID) = try Self.open(.socket)
        let first = harness.exchange()
        #expect(harness.send([Self.connect(clientID, 1, over: .exchange)], from: first) == [])
        harness.publish(1, to: "/a", from: harness.socket())
        #expect(Self.parts(harness.take(first)).data == [1])
        // Its client has got nothing, and gives up.
        let second = harness.exchange()
        #expect(Self.parts(harness.send([Self.connect(clientID, 1, over: .exchange)], from: second)).data == [1])
        let third = harness.socket()
        #expect(Self.parts(harness.send([Self.connect(clientID, -1, over: .socket)], from: third)).data == [1])
    }

    @Test("A session without acknowledgements comes down to polling: from now on a swallowed answer loses nothing")
    func fallBack() throws {
        let harness = try RouterHarness()
        let (socket, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: socket)
        harness.publish(1, to: "/a", from: harness.socket())
        #expect(Self.parts(harness.take(socket)).data == [1])
        let answer = Self.parts(
            harness.send([Self.connect(clientID, -1, over: .exchange, timeout: 0)], from: harness.exchange()))
        guard case .number(let batch)? = answer.batch else { return #expect(Bool(false), "no batch") }
        harness.close(socket)
        harness.publish(2, to: "/a", from: harness.socket())
        for _ in 1...2 {
            let again = harness.send([Self.connect(clientID, Int(batch), over: .exchange)], from: harness.exchange())
            #expect(Self.parts(again).data == [2])
        }
        // A poll that names no batch changes nothing.
        let (_, other) = harness.open()
        let poll = harness.send([Self.connect(other, nil, over: .exchange, timeout: 0)], from: harness.exchange())
        #expect(Self.parts(poll).batch == nil)
    }

    @Test("A number that was never given acknowledges nothing", arguments: [2, 99, 1 << 40, Int(Int64.max)])
    func inventedNumber(batch: Int) throws {
        let (harness, peer, clientID) = try Self.open(.exchange)
        harness.publish(1, to: "/a", from: harness.socket())
        harness.publish(2, to: "/a", from: harness.socket())
        let first = Self.parts(harness.send([Self.connect(clientID, 1, over: .exchange)], from: peer()))
        #expect(first.batch == 2)
        let claimed = batch == 2 ? 3 : batch
        let again = Self.parts(harness.send([Self.connect(clientID, claimed, over: .exchange)], from: peer()))
        #expect(again.data == [1, 2])
    }

    @Test("What exceeds the bounds is told as a gap")
    func bounds() throws {
        var limits = Limits()
        limits.queuedMessages = 2
        let harness = try RouterHarness(limits: limits)
        let peer = harness.socket()
        let clientID = Self.handshake(harness, from: peer)?["clientId"]?.text ?? ""
        harness.send([Self.connect(clientID, 0, over: .socket)], from: peer)
        harness.subscribe(clientID, to: "/a", from: peer)
        for number in 1...5 { harness.publish(.number(Double(number)), to: "/a", from: harness.socket()) }
        let events = harness.send([Self.connect(clientID, 1, over: .socket)], from: peer)
        #expect(Self.parts(events).data == [["epoch": "log", "gap": ["count": 3]], 4, 5])
    }

    /// A router with little room in all, and sessions that poll for one channel each and have made their first connect;
    /// /h has a history.
    private static func crowd(
        of channels: String..., queuedBytesInAll: Int
    ) throws -> (harness: RouterHarness, clientIDs: [String]) {
        var limits = Limits()
        limits.queuedBytesInAll = queuedBytesInAll
        var policies = ChannelPolicies()
        policies[try ChannelPattern("/h", grammar: .faye, maximumBytes: 100)] = ChannelPolicy(historyCount: 1000)
        let harness = try RouterHarness(limits: limits, policies: policies)
        let clientIDs = channels.map { channel in
            let clientID = handshake(harness, from: harness.exchange())?["clientId"]?.text ?? ""
            poll(clientID, 0, on: harness)
            harness.subscribe(clientID, to: .string(channel), from: harness.exchange())
            return clientID
        }
        return (harness, clientIDs)
    }

    private static func publish(_ numbers: ClosedRange<Int>, to channel: String, on harness: RouterHarness) {
        for number in numbers { harness.publish(.number(Double(number)), to: channel, from: harness.socket()) }
    }

    /// Polls, and names the last batch that has arrived; the answer, if there is one at once.
    @discardableResult
    private static func poll(_ clientID: String, _ batch: Int, on harness: RouterHarness) -> (data: [JSON], batch: Int)
    {
        let answer = parts(harness.send([connect(clientID, batch, over: .exchange)], from: harness.exchange()))
        guard case .number(let number)? = answer.batch else { return (answer.data, 0) }
        return (answer.data, Int(number))
    }

    @Test("What is not acknowledged counts for the bound in all: the heaviest lose it, and are told if they miss it")
    func boundInAll() throws {
        let (harness, clientIDs) = try Self.crowd(of: "/a", "/b", queuedBytesInAll: 80)
        // {"channel":"/a","data":1} has 25 bytes.
        Self.publish(1...3, to: "/a", on: harness)
        let first = Self.poll(clientIDs[0], 0, on: harness)
        #expect(first.data == [1, 2, 3])
        #expect(harness.queuedBytes == 75)
        Self.publish(1...2, to: "/b", on: harness)
        #expect(harness.queuedBytes == 75)
        #expect(harness.counters.droppedFromQueues == 0)
        // Its answer was swallowed.
        let again = Self.poll(clientIDs[0], 0, on: harness)
        #expect(again.data == [["epoch": "log", "gap": ["count": 2]], 3])
        #expect(harness.counters.droppedFromQueues == 2)
        let other = Self.poll(clientIDs[1], 0, on: harness)
        #expect(other.data == [1, 2])
        // These connects are held, for nothing is missing.
        Self.poll(clientIDs[0], again.batch, on: harness)
        Self.poll(clientIDs[1], other.batch, on: harness)
        #expect(harness.queuedBytes == 0)
    }

    @Test("What was dropped and has arrived is not missed")
    func droppedAndReceived() throws {
        let (harness, clientIDs) = try Self.crowd(of: "/a", "/b", queuedBytesInAll: 80)
        Self.publish(1...3, to: "/a", on: harness)
        let first = Self.poll(clientIDs[0], 0, on: harness)
        Self.publish(1...1, to: "/b", on: harness)
        Self.publish(4...4, to: "/a", on: harness)
        #expect(Self.poll(clientIDs[0], first.batch, on: harness).data == [4])
        #expect(harness.counters.droppedFromQueues == 0)
    }

    @Test("What the log has of it is read again")
    func readAgain() throws {
        // {"channel":"/h","data":1,"ext":{"seq":1,"epoch":"log"}} has 55 bytes.
        let (harness, clientIDs) = try Self.crowd(of: "/h", "/b", queuedBytesInAll: 180)
        Self.publish(1...3, to: "/h", on: harness)
        #expect(Self.poll(clientIDs[0], 0, on: harness).data == [1, 2, 3])
        Self.publish(1...2, to: "/b", on: harness)
        #expect(harness.queuedBytes == 160)
        #expect(Self.poll(clientIDs[0], 0, on: harness).data == [1, 2, 3])
        #expect(Self.poll(clientIDs[1], 0, on: harness).data == [1, 2])
    }

    @Test("Sessions that end give back what they weigh")
    func weightOfTheEnded() throws {
        let (harness, clientIDs) = try Self.crowd(of: "/a", queuedBytesInAll: 80)
        Self.publish(1...3, to: "/a", on: harness)
        Self.poll(clientIDs[0], 0, on: harness)
        harness.disconnect(clientIDs[0], from: harness.exchange())
        #expect(harness.queuedBytes == 0)
    }

    @Test("A disconnect answers the held connect and itself, then the socket closes")
    func disconnect() throws {
        let (harness, peer, clientID) = try Self.open(.socket)
        let socket = peer()
        harness.send([Self.connect(clientID, 1, over: .socket)], from: socket)
        let events = harness.disconnect(clientID, from: socket)
        #expect(events.count == 3)
        #expect(events.last == .close)
        #expect(harness.sessionCount == 0)
    }

    @Test("No event stream for a session that acknowledges")
    func noStream() throws {
        let (harness, _, clientID) = try Self.open(.exchange)
        let stream = harness.stream(of: clientID)
        guard case .refuse(let error)? = harness.take(stream).first else { return #expect(Bool(false)) }
        #expect(error.wire == "301:eventsource:Connection types not supported")
    }

    @Test("A first poll that names the highest number there is, in a replay's form, is answered with the whole replay")
    func highestNumber() throws {
        let harness = try RouterHarness()
        harness.publish(1, to: "/x", from: harness.socket(), ext: ["retain": true])
        let clientID = harness.handshake(harness.exchange())
        for number in 1...14 { harness.subscribe(clientID, to: .string("/empty/\(number)"), from: harness.exchange()) }
        harness.subscribe(clientID, to: "/x", from: harness.exchange())
        let poll = #"""
            [{"channel":"/meta/connect","clientId":"\#(clientID)","connectionType":"long-polling",
            "ext":{"ack":9223372036854775807}}]
            """#
        let answer = Self.parts(harness.send(poll, from: harness.exchange()))
        #expect(answer.data == [1])
        #expect(answer.batch != nil)
    }
}

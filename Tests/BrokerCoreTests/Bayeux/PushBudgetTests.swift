import BrokerCore
import Support
import Testing

/// Connects are small, and what they bring is not: those of one batch do not have everything sent at once.
@Suite("What the connects of a batch bring")
struct PushBudgetTests {
    private static let queuedBytes = 1_000
    private static let dataBytes = 150

    private static func harness() throws -> RouterHarness {
        var limits = Limits()
        limits.queuedBytes = queuedBytes
        return try RouterHarness(limits: limits)
    }

    /// Five of these nearly fill a queue.
    private static func publish(_ numbers: ClosedRange<Int>, on harness: RouterHarness) {
        for number in numbers {
            let data = "\(number)" + String(repeating: ".", count: dataBytes)
            harness.publish(.string(data), to: "/x", from: harness.socket())
        }
    }

    /// The numbers of messages.
    private static func numbers(_ events: [RouterHarness.Event]) -> [Int] {
        events.compactMap { event in
            guard case .push(let message) = event, let data = message["data"]?.text else { return nil }
            return Int(data.prefix { $0 != "." })
        }
    }

    private static func isWithinBudget(_ numbers: [Int]) -> Bool {
        numbers.count * dataBytes <= 2 * queuedBytes
    }

    /// A session that acknowledges, and is subscribed.
    private static func acknowledging(_ harness: RouterHarness) -> String {
        let message: JSON = [
            "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket", "long-polling"],
            "ext": ["ack": true],
        ]
        var clientID = ""
        for case .reply(let reply) in harness.send([message], from: harness.exchange()) {
            clientID = reply["clientId"]?.text ?? ""
        }
        harness.subscribe(clientID, to: "/x", from: harness.exchange())
        return clientID
    }

    /// A connect of a session that has not got anything.
    private static func connect(_ clientID: String, over kind: Peer.Kind) -> JSON {
        [
            "channel": "/meta/connect", "clientId": .string(clientID),
            "connectionType": kind == .socket ? "websocket" : "long-polling", "ext": ["ack": -1],
        ]
    }

    /// Sessions that poll, and are subscribed.
    private static func polling(_ count: Int, _ harness: RouterHarness) -> [String] {
        (0..<count).map { _ in
            let clientID = harness.openPolling()
            harness.subscribe(clientID, to: "/x", from: harness.exchange())
            return clientID
        }
    }

    @Test(
        "One session that says again and again that it has got nothing: each connect is answered, and the next has it all",
        arguments: [Peer.Kind.exchange, .socket])
    func again(kind: Peer.Kind) throws {
        let harness = try Self.harness()
        let clientID = Self.acknowledging(harness)
        Self.publish(1...5, on: harness)
        let peer = kind == .socket ? harness.socket() : harness.exchange()
        let batch = Array(repeating: Self.connect(clientID, over: kind), count: 1024)
        let events = harness.send(batch, from: peer)
        #expect(Self.isWithinBudget(Self.numbers(events)))
        #expect(events.count { if case .reply = $0 { true } else { false } } == 1024)
        let next = harness.send(
            [Self.connect(clientID, over: kind)], from: kind == .socket ? peer : harness.exchange())
        #expect(Self.numbers(next) == [1, 2, 3, 4, 5])
    }

    @Test("The same, one connect in each of many frames that are read in one turn")
    func frames() throws {
        let harness = try Self.harness()
        let clientID = Self.acknowledging(harness)
        Self.publish(1...5, on: harness)
        let socket = harness.socket()
        var got: [Int] = []
        for _ in 1...100 {
            got += Self.numbers(
                harness.send([Self.connect(clientID, over: .socket)], from: socket, endingTurn: false))
        }
        #expect(Self.isWithinBudget(got))
        harness.endTurn()
        let next = harness.send([Self.connect(clientID, over: .socket)], from: socket)
        #expect(Self.numbers(next) == [1, 2, 3, 4, 5])
    }

    @Test("Many sessions: the first ones get theirs, the others with their next connect")
    func manySessions() throws {
        let harness = try Self.harness()
        let clients = Self.polling(100, harness)
        Self.publish(1...5, on: harness)
        let batch = clients.map { RouterHarness.connect($0, over: .exchange) }
        let first = Self.numbers(harness.send(batch, from: harness.exchange()))
        #expect(Self.isWithinBudget(first))
        let rest = clients.map { Self.numbers(harness.connect($0, from: harness.exchange(), timeout: 0)) }
        #expect(rest.allSatisfy { $0 == [] || $0 == [1, 2, 3, 4, 5] })
        #expect(first.count + rest.joined().count == 500)
    }

    @Test("A WebSocket gets what waits for the session that it is bound to when it has drained, in order")
    func bound() throws {
        let harness = try Self.harness()
        let clients = Self.polling(10, harness)
        Self.publish(1...4, on: harness)
        harness.readsPromptly = false
        let socket = harness.socket()
        let batch = clients.map { RouterHarness.connect($0, over: .socket) }
        #expect(Self.isWithinBudget(Self.numbers(harness.send(batch, from: socket))))
        Self.publish(5...5, on: harness)
        #expect(harness.take(socket) == [])
        harness.drain()
        #expect(Self.numbers(harness.take(socket)) == [1, 2, 3, 4, 5])
        Self.publish(6...6, on: harness)
        #expect(Self.numbers(harness.take(socket)) == [6])
    }

    @Test("Who waits for what others have brought is not slow: nobody is cut off for it")
    func isNotSlow() throws {
        var policies = ChannelPolicies()
        policies[try ChannelPattern("/cut", grammar: .faye, maximumBytes: 100)] = ChannelPolicy(slow: .disconnect)
        var limits = Limits()
        limits.queuedBytes = Self.queuedBytes
        let harness = try RouterHarness(limits: limits, policies: policies)
        let clients = Self.polling(10, harness)
        for clientID in clients { harness.subscribe(clientID, to: "/cut", from: harness.exchange()) }
        Self.publish(1...4, on: harness)
        harness.readsPromptly = false
        let socket = harness.socket()
        _ = harness.send(clients.map { RouterHarness.connect($0, over: .socket) }, from: socket)
        harness.publish("5", to: "/cut", from: harness.socket())
        #expect(harness.take(socket) == [])
        harness.drain()
        #expect(Self.numbers(harness.take(socket)) == [1, 2, 3, 4, 5])
    }
}

import BrokerCore
import Support
import Testing

/// Ten thousand sessions lose their connections at once and come back.
@Suite("Storms")
struct StormTests {
    private static let count = 10_000

    private static func reply(_ events: [RouterHarness.Event]) -> JSON? {
        for case .reply(let reply) in events { return reply }
        return nil
    }

    @Test("Those who come back in time go on; nobody is refused, nothing is left behind")
    func lostConnections() throws {
        let harness = try RouterHarness(reusesSlots: false)
        var clients: [(peer: Peer, clientID: String)] = []
        for number in 0..<Self.count {
            let client = harness.open()
            harness.subscribe(client.clientID, to: .string("/storm/\(number % 100)"), from: client.peer)
            clients.append(client)
        }
        for client in clients { harness.close(client.peer) }
        harness.publish(1, to: "/storm/7", from: harness.socket())
        for (number, client) in clients.enumerated() {
            let events = harness.connect(client.clientID, from: harness.socket())
            #expect(Self.reply(events)?["successful"] == true)
            #expect(events.count == (number % 100 == 7 ? 2 : 1))
        }
        #expect(harness.sessionCount == Self.count)
        #expect(harness.subscriptionCount == Self.count)
        #expect(harness.unreleasedCount == 0)
    }

    @Test("Those who come too late are told to come back one by one, and find room")
    func expiredSessions() throws {
        var limits = Limits()
        // No more room than for all of them: what has expired must not count any more.
        limits.sessions = Self.count
        let harness = try RouterHarness(limits: limits)
        var clientIDs: [String] = []
        for _ in 0..<Self.count {
            let (peer, clientID) = harness.open()
            harness.subscribe(clientID, to: "/storm", from: peer)
            harness.close(peer)
            clientIDs.append(clientID)
        }
        harness.advance(by: limits.timeout * 2 + .seconds(1))
        #expect(harness.sessionCount == 0)
        #expect(harness.subscriptionCount == 0)

        var perTenth = Array(repeating: 0, count: 10)
        for clientID in clientIDs {
            let reply = Self.reply(harness.connect(clientID, from: harness.socket()))
            #expect(reply?["advice"]?["reconnect"] == "handshake")
            guard case .number(let interval)? = reply?["advice"]?["interval"] else { return #expect(Bool(false)) }
            #expect(0...1000 ~= interval)
            perTenth[min(Int(interval / 100), 9)] += 1
        }
        // Evenly: each tenth of a second gets its tenth of them, give or take a few standard deviations (30).
        #expect(perTenth.allSatisfy { abs($0 - Self.count / 10) < 200 }, "\(perTenth)")

        for _ in clientIDs { _ = harness.handshake(harness.socket()) }
        #expect(harness.sessionCount == Self.count)
    }
    @Test("A hundred thousand that expire at once do so in slices: whoever is there is served between them")
    func slices() throws {
        let count = 100_000
        let pattern = try ChannelPattern("/storm/*", grammar: .faye, maximumBytes: 100)
        let sessions = (0..<count).map { StoredState.Session(clientID: "\($0)", subscriptions: [pattern: 0]) }
        var limits = Limits()
        limits.sessions = count + 1
        let harness = try RouterHarness(limits: limits, sessions: sessions)
        harness.advance(by: harness.limits.timeout)
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/here", from: peer)
        let publisher = harness.socket()

        var sliceCount = 0
        while harness.sessionCount > 1, sliceCount < count {
            let before = harness.sessionCount
            // A few for each: the end of its subscription, of itself, and what the store has to forget.
            #expect(
                harness.advanceOnce(by: sliceCount == 0 ? harness.limits.timeout : .zero) <= 4 * Router.deadlinesPerTurn
            )
            #expect(before - harness.sessionCount <= Router.deadlinesPerTurn)
            sliceCount += 1
            if sliceCount % 20 == 0 {
                harness.publish(.number(Double(sliceCount)), to: "/here", from: publisher)
                #expect(harness.take(peer) == [.message(.number(Double(sliceCount)), on: "/here")])
            }
        }
        #expect(sliceCount >= count / Router.deadlinesPerTurn)
        #expect(sliceCount <= count / Router.deadlinesPerTurn + 2)
        #expect(harness.subscriptionCount == 1)
    }
}

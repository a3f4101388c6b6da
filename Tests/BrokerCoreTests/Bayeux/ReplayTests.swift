import BrokerCore
import Support
import Testing

/// What a subscriber wants of the past, and gets.
@Suite("Replay")
struct ReplayTests {
    /// A router that keeps the last three publications of every channel below /h, with five in /h/a and one in /h/b.
    private static func harness(retain: Bool = false) throws -> RouterHarness {
        var policies = ChannelPolicies()
        policies[try ChannelPattern("/h/**", grammar: .faye, maximumBytes: 100)] = ChannelPolicy(
            retain: retain, historyCount: 3)
        let harness = try RouterHarness(policies: policies)
        for number in 1...5 { harness.publish(.number(Double(number)), to: "/h/a", from: harness.socket()) }
        harness.publish("b", to: "/h/b", from: harness.socket())
        return harness
    }

    private static func subscribe(
        _ harness: RouterHarness, to pattern: String, ext: JSON?, handshake: JSON? = nil
    ) -> [RouterHarness.Event] {
        let peer = harness.socket()
        var hello: [String: JSON] = [
            "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"],
        ]
        hello["ext"] = handshake
        var clientID = ""
        for case .reply(let reply) in harness.send([.object(hello)], from: peer) {
            clientID = reply["clientId"]?.text ?? ""
        }
        harness.connect(clientID, from: peer)
        var message: [String: JSON] = [
            "channel": "/meta/subscribe", "clientId": .string(clientID), "subscription": .string(pattern),
        ]
        message["ext"] = ext
        return Array(harness.send([.object(message)], from: peer).dropFirst())
    }

    private static func replay(_ pattern: String, _ number: JSON) -> JSON {
        ["replay": .object([pattern: number])]
    }

    struct Row: Sendable {
        var pattern: String
        var replay: JSON?
        /// Sequence numbers, below zero the end of a gap.
        var got: [Int]
    }

    static let rows = [
        Row(pattern: "/h/a", replay: nil, got: []),
        Row(pattern: "/h/a", replay: -1, got: []),
        Row(pattern: "/h/a", replay: -2, got: [3, 4, 5]),
        Row(pattern: "/h/a", replay: 4, got: [5]),
        Row(pattern: "/h/a", replay: 2, got: [3, 4, 5]),
        Row(pattern: "/h/a", replay: 1, got: [-2, 3, 4, 5]),
        Row(pattern: "/h/a", replay: 0, got: [-2, 3, 4, 5]),
        Row(pattern: "/h/a", replay: 5, got: []),
        Row(pattern: "/h/a", replay: 99, got: []),
        Row(pattern: "/h/*", replay: -2, got: [3, 4, 5, 6]),
        Row(pattern: "/h/**", replay: 4, got: [5, 6]),
        Row(pattern: "/**", replay: 0, got: [-2, 3, 4, 5, 6]),
        Row(pattern: "/other", replay: -2, got: []),
        Row(pattern: "/h/a", replay: -3, got: []),
        Row(pattern: "/h/a", replay: "1", got: []),
    ]

    @Test("From the point that a subscribe names", arguments: rows)
    func subscribe(row: Row) throws {
        let events = Self.subscribe(
            try Self.harness(), to: row.pattern, ext: row.replay.map { Self.replay(row.pattern, $0) })
        #expect(events.sequences == row.got)
    }

    @Test("Or that the handshake has named for it", arguments: rows)
    func handshake(row: Row) throws {
        let events = Self.subscribe(
            try Self.harness(), to: row.pattern, ext: nil,
            handshake: row.replay.map { Self.replay(row.pattern, $0) })
        #expect(events.sequences == row.got)
    }

    @Test("A name that is not ASCII is no channel's, whatever it means; the sign for kelvin means the letter")
    func nameThatMeansTheSame() throws {
        let harness = try Self.harness()
        harness.publish(7, to: "/h/K", from: harness.socket())
        #expect(Self.subscribe(harness, to: "/h/K", ext: Self.replay("/h/K", -2)).sequences == [7])
        let other = Self.replay("/h/\u{212A}", -2)
        #expect(Self.subscribe(harness, to: "/h/K", ext: other).sequences == [])
        #expect(Self.subscribe(harness, to: "/h/K", ext: nil, handshake: other).sequences == [])
    }

    @Test("A gap tells its range, and where")
    func gap() throws {
        let events = Self.subscribe(try Self.harness(), to: "/h/**", ext: Self.replay("/h/**", 0))
        #expect(
            events.first
                == .push(["channel": "/h/a", "ext": ["epoch": "log", "gap": ["from": 1, "to": 2]]]))
    }

    @Test("What is retained and in the history comes once; what the client has does not come again")
    func retained() throws {
        let harness = try Self.harness(retain: true)
        let all = Self.subscribe(harness, to: "/h/a", ext: Self.replay("/h/a", -2))
        #expect(all.sequences == [3, 4, 5])
        #expect(all.last == .message(5, on: "/h/a", sequence: 5, retained: true))
        #expect(Self.subscribe(harness, to: "/h/a", ext: Self.replay("/h/a", 5)).sequences == [])
        #expect(Self.subscribe(harness, to: "/h/a", ext: nil).sequences == [5])
    }

    @Test("More than may be replayed: the newest, and the rest is told")
    func limits() throws {
        var policies = ChannelPolicies()
        policies[try ChannelPattern("/**", grammar: .faye, maximumBytes: 100)] = ChannelPolicy(historyCount: 100)
        var limits = Limits()
        limits.replayedMessages = 2
        let harness = try RouterHarness(limits: limits, policies: policies)
        for number in 1...5 { harness.publish(.number(Double(number)), to: "/a", from: harness.socket()) }
        #expect(Self.subscribe(harness, to: "/a", ext: Self.replay("/a", -2)).sequences == [-3, 4, 5])
    }

    @Test("Of very many channels some gaps are told together, with the pattern of the subscription")
    func manyGaps() throws {
        var policies = ChannelPolicies()
        policies[try ChannelPattern("/**", grammar: .faye, maximumBytes: 100)] = ChannelPolicy(historyCount: 1)
        let harness = try RouterHarness(policies: policies)
        let peer = harness.socket()
        for channel in 1_000..<2_000 {
            for _ in 1...2 { harness.publish("x", to: "/h/\(channel)", from: peer) }
        }
        let gaps = Self.subscribe(harness, to: "/h/*", ext: Self.replay("/h/*", 0)).filter { event in
            if case .push(let message) = event { message["ext"]?["gap"] != nil } else { false }
        }
        #expect(gaps.count == 101)
        #expect(
            gaps.first == .push(["channel": "/h/1000", "ext": ["epoch": "log", "gap": ["from": 1, "to": 1]]]))
        #expect(gaps.last == .push(["channel": "/h/*", "ext": ["epoch": "log", "gap": ["from": 1, "to": 1999]]]))
    }

    @Test("History over plain HTTP")
    func overHTTP() throws {
        let harness = try Self.harness()
        guard
            case .history(let all)? = try harness.readHistory(of: "/h/a", after: 2, limit: 2, for: harness.exchange())
                .first
        else { return #expect(Bool(false)) }
        #expect(all.compactMap { $0["data"] } == [3, 4])
    }

    @Test("The most specific policy decides alone")
    func policies() throws {
        func pattern(_ text: String) throws -> ChannelPattern {
            try ChannelPattern(text, grammar: .faye, maximumBytes: 100)
        }
        var policies = ChannelPolicies()
        policies[try pattern("/**")] = ChannelPolicy(historyCount: 1)
        policies[try pattern("/a/**")] = ChannelPolicy(historyCount: 2)
        policies[try pattern("/a/b/**")] = ChannelPolicy(historyCount: 3)
        policies[try pattern("/a/*")] = ChannelPolicy(historyCount: 4)
        policies[try pattern("/a/c")] = ChannelPolicy(historyCount: 5)
        for (name, count) in [
            ("/x", 1), ("/a/x/y", 2), ("/a/b/c", 3), ("/a/b/c/d", 3), ("/a/x", 4), ("/a/c", 5), ("/a", 1),
        ] {
            let channel = try ChannelName(name, grammar: .faye, maximumBytes: 100)
            #expect(policies.policy(for: channel).historyCount == count, "\(name)")
        }
    }
}

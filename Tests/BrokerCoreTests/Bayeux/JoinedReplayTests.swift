import BrokerCore
import Support
import Testing

/// Subscriptions of one session that ask for different pasts of the same channel.
@Suite("Overlapping replays")
struct JoinedReplayTests {
    /// A router that keeps `count` publications of every channel, with these in the log, from number 1 on.
    private static func harness(count: Int = 5000, _ channels: [String]) throws -> RouterHarness {
        var policies = ChannelPolicies()
        policies[try ChannelPattern("/**", grammar: .faye, maximumBytes: 100)] = ChannelPolicy(historyCount: count)
        let harness = try RouterHarness(policies: policies)
        let publisher = harness.socket()
        for channel in channels { harness.publish(1, to: channel, from: publisher) }
        return harness
    }

    private static func subscribe(_ clientID: String, to pattern: String, replay: Int?) -> JSON {
        var message: [String: JSON] = [
            "channel": "/meta/subscribe", "clientId": .string(clientID), "subscription": .string(pattern),
        ]
        if let replay { message["ext"] = ["replay": .object([pattern: .number(Double(replay))])] }
        return .object(message)
    }

    /// What so many polls get that are answered at once.
    private static func poll(_ clientID: String, count: Int, on harness: RouterHarness) -> [RouterHarness.Event] {
        (1...count).flatMap { _ in harness.connect(clientID, from: harness.exchange(), timeout: 0) }
    }

    struct Row: Sendable {
        var subscriptions: [(pattern: String, replay: Int?)]
        /// Sequence numbers, below zero the end of a gap.
        var got: [Int]
    }

    /// Of `/a/b` there are 1, 3, 5, 7 and 9, of `/a/c` 2, 4, 6 and 8; all but the last three of each have made room.
    static let rows = [
        Row(subscriptions: [("/a/*", 6), ("/a/b", -2)], got: [5, 7, 8, 9]),
        Row(subscriptions: [("/a/b", -2), ("/a/*", 6)], got: [5, 7, 8, 9]),
        // Only what names a number is told what is missing.
        Row(subscriptions: [("/a/*", 7), ("/a/b", 0)], got: [-3, 5, 7, 8, 9]),
        Row(subscriptions: [("/a/b", 7), ("/a/b", -2)], got: [5, 7, 9]),
        Row(subscriptions: [("/a/b", 7), ("/a/c", -2), ("/a/*", 5)], got: [4, 6, 7, 8, 9]),
        Row(subscriptions: [("/a/b", 7), ("/a/c", -1), ("/**", -2)], got: [4, 5, 6, 7, 8, 9]),
        // Where nothing is in common they stay by themselves.
        Row(subscriptions: [("/a/b", -2), ("/a/c", -2)], got: [5, 7, 9, 4, 6, 8]),
        Row(subscriptions: [("/a/b", -2), ("/**", -1)], got: [5, 7, 9]),
    ]

    @Test("Of one batch: as one, in the order of the log, each message once and behind all replies", arguments: rows)
    func batch(row: Row) throws {
        let harness = try Self.harness(count: 3, (1...9).map { $0 % 2 == 1 ? "/a/b" : "/a/c" })
        let (peer, clientID) = harness.open()
        let messages = row.subscriptions.map { Self.subscribe(clientID, to: $0.pattern, replay: $0.replay) }
        let events = harness.send(messages, from: peer)
        #expect(events.sequences == row.got)
        let replyCount = events.prefix { if case .reply = $0 { true } else { false } }.count
        #expect(replyCount == messages.count)
        // What is live follows, once.
        harness.publish("live", to: "/a/b", from: harness.socket())
        #expect(harness.take(peer).sequences == [10])
    }

    @Test("What has been read and waits for a poll is read again, with what was asked for since")
    func waitingPage() throws {
        let harness = try Self.harness((1...1000).map { $0 % 2 == 1 ? "/a/b" : "/a/c" })
        let clientID = harness.openPolling()
        for (pattern, replay) in [("/a/*", 500), ("/a/c", 900), ("/a/b", -2)] {
            harness.send([Self.subscribe(clientID, to: pattern, replay: replay)], from: harness.exchange())
        }
        let got = Self.poll(clientID, count: 4, on: harness).sequences
        #expect(got == (1...1000).filter { $0 > 500 || $0 % 2 == 1 })
    }

    @Test("Who subscribes again and again is given something for all that")
    func againAndAgain() throws {
        let harness = try Self.harness(Array(repeating: "/a/b", count: 10))
        let clientID = harness.openPolling()
        harness.storeMode = .stopped
        // Each finds what the one before has asked for being read.
        for _ in 1...2_000 {
            harness.send([Self.subscribe(clientID, to: "/a/b", replay: -2)], from: harness.exchange())
            harness.runStore(1)
        }
        harness.storeMode = .prompt
        let got = Self.poll(clientID, count: 4, on: harness).sequences
        #expect(Array(got.prefix(10)) == Array(1...10))
    }

    @Test(
        "What is asked for plainly as well comes once more behind a lost connection, and then not again",
        arguments: [[nil, 5], [5, nil]] as [[Int?]])
    func plainlyAsWell(replays: [Int?]) throws {
        let harness = try Self.harness(Array(repeating: "/a/b", count: 9))
        harness.publish(1, to: "/a/b", from: harness.socket(), ext: ["retain": true])
        let (first, clientID) = harness.open()
        let messages = replays.map { Self.subscribe(clientID, to: "/a/b", replay: $0) }
        #expect(harness.send(messages, from: first).sequences == Array(6...10))
        harness.close(first)
        let second = harness.socket()
        #expect(harness.connect(clientID, from: second).sequences == Array(6...10))
        for _ in 1...3 { harness.connect(clientID, from: second) }
        harness.close(second)
        #expect(harness.connect(clientID, from: harness.socket()).sequences == [])
    }

    @Test("It is told as missing, for each pattern, when it cannot be read; what is live follows")
    func failingStore() throws {
        let harness = try Self.harness(["/a/b", "/a/c"])
        let (peer, clientID) = harness.open()
        harness.storeMode = .stopped
        harness.send(
            [
                Self.subscribe(clientID, to: "/a/*", replay: 1), Self.subscribe(clientID, to: "/a/b", replay: -2),
            ], from: peer)
        harness.runStore(2)
        // What nobody wants any more, what the store is told of, and then what was asked for.
        harness.failStore(2)
        harness.failStore(1)
        #expect(harness.take(peer).sequences == [-2, -2])
        harness.storeMode = .prompt
        harness.publish("live", to: "/a/b", from: harness.socket())
        #expect(harness.take(peer).sequences == [3])
    }

    @Test("With one of the subscriptions what it asked for ends")
    func unsubscribed() throws {
        let harness = try Self.harness((1...10).map { $0 % 2 == 1 ? "/a/b" : "/a/c" })
        let clientID = harness.openPolling()
        let messages = [("/a/*", 6), ("/a/b", -2)].map { Self.subscribe(clientID, to: $0.0, replay: $0.1) }
        harness.send(messages, from: harness.exchange())
        harness.unsubscribe(clientID, from: "/a/b", over: harness.exchange())
        #expect(Self.poll(clientID, count: 3, on: harness).sequences == [7, 8, 9, 10])
    }

    @Test("Behind what has begun, and behind what is live, another one comes by itself")
    func apart() throws {
        let harness = try Self.harness(Array(repeating: "/a/b", count: 1000))
        let clientID = harness.openPolling()
        func subscribe(to pattern: String, replay: Int) {
            harness.send([Self.subscribe(clientID, to: pattern, replay: replay)], from: harness.exchange())
        }
        subscribe(to: "/a/*", replay: 400)
        #expect(Self.poll(clientID, count: 1, on: harness).sequences == Array(401...912))
        subscribe(to: "/a/b", replay: 990)
        harness.publish("live", to: "/a/b", from: harness.socket())
        subscribe(to: "/a/**", replay: 995)
        #expect(
            Self.poll(clientID, count: 6, on: harness).sequences
                == Array(913...1000) + Array(991...1000) + [1001] + Array(996...1001))
    }
}

import BrokerCore
import Support
import Testing

/// Subscribers whose connections do not take messages fast enough, and what the others notice of that: nothing.
@Suite("Slow subscribers")
struct SlowSubscriberTests {
    private static func pattern(_ text: String) throws -> ChannelPattern {
        try ChannelPattern(text, grammar: .faye, maximumBytes: 100)
    }

    /// A router with a short queue; /h/** has a history, /latest and /cut have the policies of their names.
    private static func harness(queuedBytesInAll: Int? = nil) throws -> RouterHarness {
        var policies = ChannelPolicies()
        policies[try pattern("/h/**")] = ChannelPolicy(historyCount: 1000)
        policies[try pattern("/latest/**")] = ChannelPolicy(slow: .latest)
        policies[try pattern("/cut")] = ChannelPolicy(slow: .disconnect)
        var limits = Limits()
        limits.queuedMessages = 3
        if let queuedBytesInAll { limits.queuedBytesInAll = queuedBytesInAll }
        return try RouterHarness(limits: limits, policies: policies)
    }

    private static func publish(_ numbers: ClosedRange<Int>, to channel: String, on harness: RouterHarness) {
        for number in numbers { harness.publish(.number(Double(number)), to: channel, from: harness.socket()) }
    }

    /// The data of messages, or what they say is missing.
    private static func data(_ events: [RouterHarness.Event]) -> [JSON] {
        events.compactMap { event in
            if case .push(let message) = event { message["data"] ?? message["ext"]?["gap"] ?? .null } else { nil }
        }
    }

    @Test("Its messages wait until it has drained, in order; another one gets them at once")
    func waiting() throws {
        let harness = try Self.harness()
        let (slow, slowID) = harness.open()
        let (quick, quickID) = harness.open()
        harness.subscribe(slowID, to: "/**", from: slow)
        harness.subscribe(quickID, to: "/**", from: quick)
        harness.readsPromptly = false
        harness.congest(slow)
        Self.publish(1...3, to: "/a", on: harness)
        #expect(harness.take(slow) == [])
        #expect(Self.data(harness.take(quick)) == [1, 2, 3])
        harness.drain()
        #expect(Self.data(harness.take(slow)) == [1, 2, 3])
        Self.publish(4...4, to: "/a", on: harness)
        #expect(Self.data(harness.take(slow)) == [4])
    }

    @Test("What its queue cannot hold is told, or read from the log")
    func overflow() throws {
        let harness = try Self.harness()
        let (slow, clientID) = harness.open()
        harness.subscribe(clientID, to: "/**", from: slow)
        harness.readsPromptly = false
        harness.congest(slow)
        Self.publish(1...5, to: "/a", on: harness)
        harness.drain()
        #expect(Self.data(harness.take(slow)) == [["count": 2], 3, 4, 5])
        harness.congest(slow)
        Self.publish(1...7, to: "/h/a", on: harness)
        harness.drain()
        harness.drain()
        #expect(Self.data(harness.take(slow)) == [1, 2, 3, 4, 5, 6, 7])
        Self.publish(8...8, to: "/h/a", on: harness)
        #expect(Self.data(harness.take(slow)) == [8])
    }

    @Test("Of a channel of which only the latest counts, the latest, and what it took the place of is told")
    func latest() throws {
        let harness = try Self.harness()
        let (slow, clientID) = harness.open()
        harness.subscribe(clientID, to: "/**", from: slow)
        harness.readsPromptly = false
        harness.congest(slow)
        Self.publish(1...9, to: "/latest/a", on: harness)
        Self.publish(10...10, to: "/b", on: harness)
        Self.publish(11...12, to: "/latest/c", on: harness)
        harness.drain()
        #expect(Self.data(harness.take(slow)) == [["count": 8], ["count": 1], 9, 10, 12])
        #expect(harness.queuedBytes == 0)
    }

    @Test("A channel that cuts slow subscribers off: the session goes on over the next connection")
    func disconnecting() throws {
        let harness = try Self.harness()
        let (slow, clientID) = harness.open()
        harness.subscribe(clientID, to: "/**", from: slow)
        harness.readsPromptly = false
        harness.congest(slow)
        Self.publish(1...1, to: "/a", on: harness)
        #expect(harness.take(slow) == [])
        Self.publish(2...2, to: "/cut", on: harness)
        #expect(harness.take(slow) == [.cut])
        harness.close(slow)
        #expect(Self.data(harness.connect(clientID, from: harness.socket())) == [1, 2])
    }

    @Test("The next connection is taken to be quick")
    func nextConnection() throws {
        let harness = try Self.harness()
        let (slow, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: slow)
        harness.readsPromptly = false
        harness.congest(slow)
        Self.publish(1...1, to: "/a", on: harness)
        let next = harness.socket()
        #expect(Self.data(harness.connect(clientID, from: next)) == [1])
        Self.publish(2...2, to: "/a", on: harness)
        #expect(Self.data(harness.take(next)) == [2])
        // What is heard of the old one changes nothing.
        harness.drain()
        harness.congest(slow)
        Self.publish(3...3, to: "/a", on: harness)
        #expect(Self.data(harness.take(next)) == [3])
    }

    /// Clients of one channel each that are away.
    private static func sleepers(of channels: String..., on harness: RouterHarness) -> [String] {
        channels.map { channel in
            let (peer, clientID) = harness.open()
            harness.subscribe(clientID, to: .string(channel), from: peer)
            harness.close(peer)
            return clientID
        }
    }

    @Test("All queues together have a bound: beyond it those for whom most waits make room")
    func boundInAll() throws {
        let harness = try Self.harness(queuedBytesInAll: 80)
        let sleepers = Self.sleepers(of: "/a", "/b", on: harness)
        // {"channel":"/a","data":1} has 25 bytes.
        Self.publish(1...3, to: "/a", on: harness)
        Self.publish(1...2, to: "/b", on: harness)
        #expect(harness.queuedBytes == 75)
        #expect(Self.data(harness.connect(sleepers[0], from: harness.socket())) == [["count": 2], 3])
        #expect(Self.data(harness.connect(sleepers[1], from: harness.socket())) == [1, 2])
        // There is room again.
        let last = Self.sleepers(of: "/c", on: harness)
        Self.publish(1...2, to: "/c", on: harness)
        #expect(Self.data(harness.connect(last[0], from: harness.socket())) == [1, 2])
    }

    @Test("So do messages that wait before a replay: what the log has of them is read again")
    func boundBeforeReplay() throws {
        // {"channel":"/h/a","data":1,"ext":{"seq":1,"epoch":"log"}} has 57 bytes.
        let harness = try Self.harness(queuedBytesInAll: 90)
        Self.publish(9...9, to: "/h/z", on: harness)
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: ["/a", "/h/a"], from: peer)
        harness.close(peer)
        Self.publish(1...1, to: "/h/a", on: harness)
        Self.publish(2...2, to: "/a", on: harness)
        let message: JSON = [
            "channel": "/meta/subscribe", "clientId": .string(clientID), "subscription": "/h/z",
            "ext": ["replay": ["/h/z": -2]],
        ]
        harness.send([message], from: harness.exchange())
        #expect(harness.queuedBytes == 82)
        let others = Self.sleepers(of: "/b", on: harness)
        Self.publish(1...2, to: "/b", on: harness)
        #expect(harness.queuedBytes == 75)
        #expect(Self.data(harness.connect(clientID, from: harness.socket())) == [1, 2, 9])
        #expect(Self.data(harness.connect(others[0], from: harness.socket())) == [1, 2])
        #expect(harness.queuedBytes == 0)
    }

    @Test("Also the only message that waits makes room, and its client is told")
    func onlyMessage() throws {
        let harness = try Self.harness(queuedBytesInAll: 80)
        let sleepers = Self.sleepers(of: "/a", "/b", on: harness)
        harness.publish(.string(String(repeating: "x", count: 50)), to: "/a", from: harness.socket())
        Self.publish(1...1, to: "/b", on: harness)
        #expect(Self.data(harness.connect(sleepers[0], from: harness.socket())) == [["count": 1]])
        #expect(Self.data(harness.connect(sleepers[1], from: harness.socket())) == [1])
        #expect(harness.queuedBytes == 0)
    }

    @Test("A broker that stops does not take for delivered what had to make room")
    func stopped() throws {
        var policies = ChannelPolicies()
        policies[try Self.pattern("/h")] = ChannelPolicy(historyCount: 1000)
        var limits = Limits()
        limits.queuedMessages = 3
        let store = RememberingStore()
        let first = try RouterHarness(limits: limits, policies: policies, store: store)
        let (peer, clientID) = first.open()
        first.subscribe(clientID, to: "/h", from: peer)
        first.close(peer)
        Self.publish(1...4, to: "/h", on: first)
        first.shutDown()
        #expect(store.sessions.map(\.cursor) == [0])
        let second = try RouterHarness(limits: limits, policies: policies, sessions: store.sessions, store: store)
        #expect(Self.data(second.connect(clientID, from: second.socket())) == [1, 2, 3, 4])
    }

    @Test("Of very many channels some are told of together, as a gap of what is subscribed to", arguments: [1, 2])
    func manyChannels(patternCount: Int) throws {
        let harness = try Self.harness()
        let (slow, clientID) = harness.open()
        let patterns: [JSON] = ["/**", "/x/*"]
        harness.subscribe(clientID, to: .array(Array(patterns.prefix(patternCount))), from: slow)
        harness.readsPromptly = false
        harness.congest(slow)
        for number in 1...1003 { Self.publish(number...number, to: "/x/\(number)", on: harness) }
        harness.drain()
        let events = harness.take(slow)
        let channels: [JSON] = events.compactMap { event in
            if case .push(let message) = event { message["channel"] } else { nil }
        }
        let rest: [JSON] = patternCount == 1 ? [["count": 900]] : [[:], [:]]
        #expect(Self.data(events) == Array(repeating: ["count": 1], count: 100) + rest + [1001, 1002, 1003])
        #expect(Array(channels.dropFirst(100).prefix(patternCount)) == Array(patterns.prefix(patternCount)))
    }
}

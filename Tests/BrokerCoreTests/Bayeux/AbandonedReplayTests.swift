import BrokerCore
import Support
import Testing

/// A replay that is not wanted any more while it is under way.
@Suite("Abandoned replays")
struct AbandonedReplayTests {
    private static func harness(rules: AccessRules? = nil) throws -> RouterHarness {
        var policies = ChannelPolicies()
        policies[try pattern("/**")] = ChannelPolicy(historyCount: 5000)
        return try RouterHarness(policies: policies, rules: rules)
    }

    private static func pattern(_ text: String) throws -> ChannelPattern {
        try ChannelPattern(text, grammar: .faye, maximumBytes: 512)
    }

    private static func publish(_ numbers: ClosedRange<Int>, to channel: String, on harness: RouterHarness) {
        let publisher = harness.socket()
        for number in numbers { harness.publish(.number(Double(number)), to: channel, from: publisher) }
    }

    @discardableResult
    private static func subscribe(
        _ clientID: String, to channels: [String], from peer: Peer, on harness: RouterHarness
    ) -> [RouterHarness.Event] {
        let points = Dictionary(uniqueKeysWithValues: channels.map { ($0, JSON.number(-2)) })
        let message: JSON = [
            "channel": "/meta/subscribe", "clientId": .string(clientID),
            "subscription": .array(channels.map(JSON.string)), "ext": ["replay": .object(points)],
        ]
        return harness.send([message], from: peer)
    }

    private static func data(_ events: [RouterHarness.Event]) -> [JSON] {
        events.compactMap { if case .push(let message) = $0 { message["data"] } else { nil } }
    }

    private static func caller(_ patterns: [String], until seconds: Int64, in harness: RouterHarness) throws -> Caller {
        let patterns = try patterns.map(pattern)
        let principal = Principal(
            subject: "alice", publish: patterns, subscribe: patterns, expiresAt: harness.now.wall + seconds * 1000)
        return Caller(principal: principal, isBrowser: true)
    }

    @Test("What was read for a subscription that has been taken away does not come in the place of another replay")
    func late() throws {
        let harness = try Self.harness(rules: AccessRules(publish: .granted, subscribe: .granted))
        harness.caller = .trusted
        Self.publish(1...3, to: "/a", on: harness)
        Self.publish(4...6, to: "/b", on: harness)
        harness.caller = try Self.caller(["/a", "/b"], until: 100, in: harness)
        let (peer, clientID) = harness.open()
        harness.storeMode = .stopped
        for channel in ["/a", "/b"] { Self.subscribe(clientID, to: [channel], from: peer, on: harness) }
        harness.runStore(1)
        // The store is reading /a when that is taken away, and has the other subscription before it is through.
        harness.caller = try Self.caller(["/b"], until: 200, in: harness)
        harness.connect(clientID, from: peer, timeout: 0)
        harness.runStore(1)
        harness.storeMode = .prompt
        harness.runStore()
        #expect(Self.data(harness.take(peer)) == [4, 5, 6])
        harness.caller = .trusted
        Self.publish(7...7, to: "/b", on: harness)
        #expect(Self.data(harness.take(peer)) == [7])
    }

    @Test("The same, where the connection was lost")
    func lost() throws {
        let harness = try Self.harness()
        Self.publish(1...3, to: "/a", on: harness)
        Self.publish(4...6, to: "/b", on: harness)
        let (peer, clientID) = harness.open()
        harness.storeMode = .stopped
        Self.subscribe(clientID, to: ["/a"], from: peer, on: harness)
        harness.unsubscribe(clientID, from: "/a", over: peer)
        Self.subscribe(clientID, to: ["/b"], from: peer, on: harness)
        harness.runStore(2)
        harness.close(peer)
        harness.runStore(1)
        let again = harness.socket()
        harness.connect(clientID, from: again)
        harness.storeMode = .prompt
        harness.runStore()
        #expect(Self.data(harness.take(again)) == [4, 5, 6])
        Self.publish(7...7, to: "/b", on: harness)
        #expect(Self.data(harness.take(again)) == [7])
    }

    @Test("With its subscription a replay ends; another one that goes on with it comes whole, and what waits behind")
    func unsubscribed() throws {
        let harness = try Self.harness()
        for number in 1...1200 { Self.publish(number...number, to: number % 2 == 0 ? "/a" : "/b", on: harness) }
        let (peer, clientID) = harness.open()
        harness.readsPromptly = false
        let begin = Self.data(Self.subscribe(clientID, to: ["/a", "/b"], from: peer, on: harness))
        #expect(begin.count == 512)
        // It was published while there was a subscription.
        Self.publish(1201...1202, to: "/b", on: harness)
        var rest = Self.data(harness.unsubscribe(clientID, from: "/b", over: peer))
        Self.publish(1203...1203, to: "/b", on: harness)
        harness.readsPromptly = true
        harness.drain()
        rest += Self.data(harness.take(peer))
        #expect(rest == (257...600).map { JSON.number(Double($0 * 2)) } + [1201, 1202])
        #expect(harness.queuedBytes == 0)
    }

    @Test("Where nothing else was asked for, messages go out as they come again", arguments: [false, true])
    func unsubscribedFromAll(isCongested: Bool) throws {
        let harness = try Self.harness()
        Self.publish(1...1200, to: "/a", on: harness)
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/c", from: peer)
        harness.readsPromptly = false
        #expect(Self.data(Self.subscribe(clientID, to: ["/a"], from: peer, on: harness)).count == 512)
        if isCongested { harness.congest(peer) }
        #expect(Self.data(harness.unsubscribe(clientID, from: "/a", over: peer)) == [])
        harness.readsPromptly = true
        harness.drain()
        #expect(Self.data(harness.take(peer)) == [])
        Self.publish(1201...1201, to: "/c", on: harness)
        #expect(Self.data(harness.take(peer)) == [1201])
    }
}

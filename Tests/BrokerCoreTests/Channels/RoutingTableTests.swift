import Support
import Testing

@testable import BrokerCore

/// Where publications go, asked again and again while subscribers and connections come and go.
struct RoutingTableTests {
    private func pattern(_ text: String) throws -> ChannelPattern {
        try ChannelPattern(text, grammar: .cometd, maximumBytes: 10_000)
    }

    private func name(_ text: String) throws -> ChannelName {
        try ChannelName(text, grammar: .cometd, maximumBytes: 10_000)
    }

    /// What a subscriber of the test has.
    private struct Subscriber {
        var patterns: Set<String> = []
        var route: ConnectionID?
        var deliveredCount: UInt64 = 0
    }

    private func slots(_ destinations: Destinations) -> [[UInt32]] {
        (0..<2).map { loop in destinations.recipients.filter { $0.loop == loop }.flatMap { $0.slots.sorted() } }
    }

    /// Names whose parts run into one another where they are put together without a separator.
    static let names = ["/a_b/c", "/a/b_c", "/a", "/a/b", "/ab", "/a/b/c", "/ab/c", "/a/bc", "/a_b", "/a/b-c"]

    @Test(arguments: 1...20)
    func answersAreThoseOfTheSubscriptions(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        var table = RoutingTable(loopCount: 2, seed: UInt64(seed))
        var subscribers = [Subscriber](repeating: .init(), count: 12)
        for handle in UInt32(0)..<12 { table.add(handle) }
        let patterns = Self.names + ["/**", "/a/*", "/a/**", "/ab/*", "/a_b/**"]
        for _ in 0..<400 {
            let handle = Int.random(in: 0..<12, using: &generator)
            let text = patterns.randomElement(using: &generator) ?? "/**"
            switch Int.random(in: 0..<8, using: &generator) {
            case 0:
                subscribers[handle].patterns.insert(text)
                table.subscribe(UInt32(handle), to: try pattern(text))
            case 1:
                subscribers[handle].patterns.remove(text)
                table.unsubscribe(UInt32(handle), from: try pattern(text))
            case 2:
                let slot = UInt32.random(in: 0..<100, using: &generator)
                subscribers[handle].route = ConnectionID(loop: slot % 2, slot: slot)
                table.route(UInt32(handle), to: subscribers[handle].route)
            case 3:
                subscribers[handle].route = nil
                table.route(UInt32(handle), to: nil)
            default:
                let channel = try name(Self.names.randomElement(using: &generator) ?? "/a")
                let excluded = Bool.random(using: &generator) ? UInt32(handle) : nil
                let destinations = table.destinations(of: channel, excluding: excluded)
                let matching = try subscribers.indices.filter { index in
                    try UInt32(index) != excluded
                        && subscribers[index].patterns.contains { try pattern($0).covers(ChannelPattern(channel)) }
                }
                let routed = matching.compactMap { subscribers[$0].route }
                let expected = (0..<2).map { loop in routed.filter { $0.loop == loop }.map(\.slot).sorted() }
                #expect(slots(destinations) == expected)
                #expect(
                    destinations.waiting.sorted()
                        == matching.filter { subscribers[$0].route == nil }.map { UInt32($0) })
                #expect(destinations.count == matching.count)
                for index in matching { subscribers[index].deliveredCount += 1 }
            }
        }
        for handle in subscribers.indices {
            #expect(table.deliveredCount(of: UInt32(handle)) == subscribers[handle].deliveredCount)
        }
    }

    @Test
    func recipientsAreTheSameObjectUntilSomethingChanges() throws {
        var table = RoutingTable(loopCount: 1, seed: 1)
        for handle in UInt32(0)..<2 { table.add(handle) }
        table.subscribe(0, to: try pattern("/a"))
        table.route(0, to: ConnectionID(loop: 0, slot: 7))
        let channel = try name("/a")
        let first = try #require(table.destinations(of: channel).recipients.first)
        #expect(table.destinations(of: channel).recipients.first === first)
        // What changes nothing is no change.
        table.subscribe(0, to: try pattern("/a"))
        table.unsubscribe(0, from: try pattern("/b"))
        table.route(0, to: ConnectionID(loop: 0, slot: 7))
        #expect(table.destinations(of: channel).recipients.first === first)
        table.route(0, to: ConnectionID(loop: 0, slot: 8))
        #expect(table.destinations(of: channel).recipients.first?.slots == [8])
        table.subscribe(1, to: try pattern("/*"))
        #expect(table.destinations(of: channel).waiting == [1])
    }

    @Test("So many channels that what is known of them is forgotten in between")
    func manyChannels() throws {
        var table = RoutingTable(loopCount: 1, seed: 1)
        for handle in UInt32(0)..<2 { table.add(handle) }
        table.subscribe(0, to: try pattern("/**"))
        table.route(0, to: ConnectionID(loop: 0, slot: 7))
        for round in 0..<2 {
            for number in 0..<5000 {
                let destinations = table.destinations(of: try name("/c/\(number)"))
                #expect(destinations.recipients.map(\.slots) == [[7]], "round \(round)")
            }
        }
    }

    @Test
    func nobody() throws {
        var table = RoutingTable(loopCount: 2, seed: 1)
        table.add(3)
        #expect(table.destinations(of: try name("/a")).count == 0)
        table.subscribe(3, to: try pattern("/b"))
        #expect(table.destinations(of: try name("/a")).count == 0)
        #expect(table.destinations(of: try name("/b"), excluding: 3).count == 0)
        #expect(table.destinations(of: try name("/b")).waiting == [3])
    }
}

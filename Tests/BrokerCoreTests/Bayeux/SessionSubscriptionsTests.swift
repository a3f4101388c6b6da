import Support
import Testing

@testable import BrokerCore

@Suite("What a session is subscribed to")
struct SessionSubscriptionsTests {
    @Test("As a dictionary would have it, through few and many", arguments: 1...8 as ClosedRange<UInt64>)
    func asADictionary(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var subscriptions = SessionSubscriptions()
        var expected: [ChannelPattern: UInt64] = [:]
        let patterns = try (0..<3 * SessionSubscriptions.few).map {
            try ChannelPattern("/a/\($0)", grammar: .faye, maximumBytes: 100)
        }
        for step in 0..<2000 as Range<UInt64> {
            // Now more come than go, now more go.
            let comes = UInt64.random(in: 0..<4, using: &generator) > step / 200 % 4
            let pattern = patterns.randomElement(using: &generator)!
            if comes {
                #expect(subscriptions.insert(pattern, since: step) == (expected[pattern] == nil))
                expected[pattern] = expected[pattern] ?? step
            } else {
                #expect(subscriptions.remove(pattern) == (expected.removeValue(forKey: pattern) != nil))
            }
            #expect(subscriptions.count == expected.count)
            #expect(subscriptions.contains(pattern) == (expected[pattern] != nil))
        }
        let entries = subscriptions.entries.map { ($0.pattern, $0.since) }
        #expect(Dictionary(uniqueKeysWithValues: entries) == expected)
        #expect(Set(subscriptions.patterns) == Set(expected.keys))
    }
}

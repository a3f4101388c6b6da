import BrokerCore
import Testing

/// A name, and all patterns of `ChannelMatchingTests.patterns` that it matches.
struct MatchingRow: Sendable {
    let name: String
    let matching: Set<String>
}

@Suite("Channel matching")
struct ChannelMatchingTests {
    static let patterns = [
        "/**", "/*", "/a", "/a/*", "/a/**", "/a/b", "/a/b/*", "/a/b/**", "/a/b/c", "/ab", "/ab/**", "/b/**", "/a/bc",
        "/a/b/c/*", "/a/b/c/**", "/A/**", "/meta/**",
    ]

    @Test(
        "A name matches itself, the children of its parent, the descendants of each prefix, and nothing else",
        arguments: [
            MatchingRow(name: "/a", matching: ["/**", "/*", "/a"]),
            MatchingRow(name: "/a/b", matching: ["/**", "/a/*", "/a/**", "/a/b"]),
            MatchingRow(name: "/a/b/c", matching: ["/**", "/a/**", "/a/b/*", "/a/b/**", "/a/b/c"]),
            MatchingRow(name: "/ab", matching: ["/**", "/*", "/ab"]),
            MatchingRow(name: "/ab/c", matching: ["/**", "/ab/**"]),
            MatchingRow(name: "/a/bc", matching: ["/**", "/a/*", "/a/**", "/a/bc"]),
            MatchingRow(
                name: "/a/b/c/d", matching: ["/**", "/a/**", "/a/b/**", "/a/b/c/*", "/a/b/c/**"]),
            MatchingRow(name: "/c", matching: ["/**", "/*"]),
            MatchingRow(name: "/meta", matching: ["/**", "/*"]),
            MatchingRow(name: "/meta/x", matching: ["/**", "/meta/**"]),
        ])
    func matching(row: MatchingRow) throws {
        let name = try ChannelName(row.name, grammar: .faye, maximumBytes: 100)
        let matching = try Self.patterns.filter {
            try ChannelPattern($0, grammar: .faye, maximumBytes: 100).matches(name)
        }
        #expect(Set(matching) == row.matching)
        // The table comes to the same result by another way.
        var table = SubscriptionTable(seed: 1)
        for (handle, text) in Self.patterns.enumerated() {
            let pattern = try ChannelPattern(text, grammar: .faye, maximumBytes: 100)
            let isNew = table.subscribe(UInt32(handle), to: pattern)
            #expect(isNew)
        }
        var result: [UInt32] = []
        table.match(name, into: &result)
        #expect(result.count == row.matching.count)
        #expect(Set(result.map { Self.patterns[Int($0)] }) == row.matching)
    }

    @Test("A name is a pattern, too")
    func patternOfName() throws {
        let name = try ChannelName("/service/a", grammar: .faye, maximumBytes: 100)
        let pattern = ChannelPattern(name)
        #expect(pattern == (try ChannelPattern("/service/a", grammar: .faye, maximumBytes: 100)))
        #expect(pattern.kind == .exact)
        #expect(pattern.isService)
        #expect(pattern.segmentCount == 2)
        #expect(pattern.matches(name))
    }
}

import BrokerCore
import Support
import Testing

/// The plainest table there is: for each subscriber a set of patterns as text, matched by the rule in words.
private struct NaiveTable {
    var patterns: [UInt32: Set<String>] = [:]

    var subscriptionCount: Int { patterns.values.reduce(0) { $0 + $1.count } }

    /// All patterns that match a name: everything, the name, its last segment replaced by `*`, and `**` below each
    /// proper prefix of at least one segment.
    static func patterns(matching name: String) -> Set<String> {
        let segments = name.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        var patterns: Set<String> = ["/**", name]
        let parent = segments.dropLast().map { "/" + $0 }.joined()
        patterns.insert(parent + "/*")
        for length in 1..<max(segments.count, 1) {
            patterns.insert(segments.prefix(length).map { "/" + $0 }.joined() + "/**")
        }
        return patterns
    }

    func match(_ name: String) -> [UInt32] {
        let matching = Self.patterns(matching: name)
        return patterns.filter { !$0.value.isDisjoint(with: matching) }.keys.sorted()
    }
}

/// A way to make up channels that a table may confuse.
struct ChannelMix: Sendable {
    let seed: UInt64
    let segments: [String]
    let depth: ClosedRange<Int>
    let handles: Range<UInt32>
}

@Suite("Subscription table against a naive one")
struct SubscriptionTableRandomTests {
    static let mixes = [
        ChannelMix(seed: 1, segments: ["a", "b"], depth: 1...4, handles: 0..<40),
        // Segments that are prefixes of one another, around the 8 bytes of a word.
        ChannelMix(
            seed: 2, segments: ["a", "ab", "abcdef", "abcdefg", "abcdefgh", "abcdefghi"], depth: 1...3,
            handles: 0..<20),
        // Bytes next to the slash's, and stars that are no wildcards.
        ChannelMix(seed: 3, segments: [".", "..", "*a", "***", "a*", "-", "0"], depth: 1...3, handles: 0..<30),
        ChannelMix(seed: 4, segments: ["x"], depth: 1...60, handles: 0..<10),
        ChannelMix(seed: 5, segments: (0..<300).map { "s\($0)" }, depth: 1...1, handles: 5..<8),
        ChannelMix(seed: 6, segments: ["meta", "service", "a"], depth: 1...3, handles: 0..<100),
        // Few patterns with so many subscribers that positions are looked up, and sparse handles.
        ChannelMix(seed: 7, segments: ["a"], depth: 1...2, handles: 1000..<1400),
    ]

    private func text(_ mix: ChannelMix, isPattern: Bool, using random: inout SeededGenerator) -> String {
        let depth = Int.random(in: mix.depth, using: &random)
        var segments = (0..<depth).map { _ in mix.segments.randomElement(using: &random) ?? "a" }
        if isPattern {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: segments[depth - 1] = "*"
            case 1: segments[depth - 1] = "**"
            default: break
            }
        }
        return segments.map { "/" + $0 }.joined()
    }

    @Test("Random operations give the same results", arguments: mixes)
    func randomOperations(mix: ChannelMix) throws {
        var random = SeededGenerator(seed: mix.seed)
        var table = SubscriptionTable(seed: random.next())
        var naive = NaiveTable()
        var result: [UInt32] = []
        for step in 0..<6000 {
            let handle = UInt32.random(in: mix.handles, using: &random)
            // The weights sway, so that the table grows and shrinks.
            let growing = step / 1000 % 2 == 0
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<(growing ? 6 : 2):
                let text = text(mix, isPattern: true, using: &random)
                let isNew = table.subscribe(handle, to: try pattern(text))
                #expect(isNew == naive.patterns[handle, default: []].insert(text).inserted)
            case 0..<8:
                // A pattern that it has, or any.
                let own = naive.patterns[handle, default: []].sorted().randomElement(using: &random)
                let text = own ?? text(mix, isPattern: true, using: &random)
                let wasThere = table.unsubscribe(handle, from: try pattern(text))
                #expect(wasThere == (naive.patterns[handle, default: []].remove(text) != nil))
            case 8 where Int.random(in: 0..<20, using: &random) == 0:
                // The subscriber goes, and the handle to the next one.
                for text in naive.patterns[handle, default: []] {
                    let wasThere = table.unsubscribe(handle, from: try pattern(text))
                    #expect(wasThere)
                }
                naive.patterns[handle] = nil
            default:
                let text = text(mix, isPattern: false, using: &random)
                result.removeAll(keepingCapacity: true)
                table.match(try ChannelName(text, grammar: .cometd, maximumBytes: 1000), into: &result)
                #expect(result.sorted() == naive.match(text), "\(text)")
            }
            #expect(table.subscriptionCount == naive.subscriptionCount)
        }
        #expect(table.patternCount == naive.patterns.values.reduce(into: Set()) { $0.formUnion($1) }.count)
        for (handle, patterns) in naive.patterns {
            for text in patterns {
                let wasThere = table.unsubscribe(handle, from: try pattern(text))
                #expect(wasThere)
            }
        }
        #expect(table.subscriptionCount == 0)
        #expect(table.patternCount == 0)
    }

    @Test("The pattern's own rule is the naive one", arguments: mixes)
    func patternRule(mix: ChannelMix) throws {
        var random = SeededGenerator(seed: mix.seed)
        for _ in 0..<2000 {
            let pattern = text(mix, isPattern: true, using: &random)
            let name = text(mix, isPattern: false, using: &random)
            let isMatch = try self.pattern(pattern)
                .matches(try ChannelName(name, grammar: .cometd, maximumBytes: 1000))
            #expect(isMatch == NaiveTable.patterns(matching: name).contains(pattern), "\(pattern) \(name)")
        }
    }

    private func pattern(_ text: String) throws -> ChannelPattern {
        try ChannelPattern(text, grammar: .cometd, maximumBytes: 1000)
    }
}

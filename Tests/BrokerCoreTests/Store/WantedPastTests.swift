import BrokerCore
import Support
import Testing

/// What many subscriptions together want of the past, and what it costs to find that out.
@Suite("The past that is wanted")
struct WantedPastTests {
    private static func name(_ text: String) throws -> ChannelName {
        try ChannelName(text, grammar: .cometd, maximumBytes: 1_000)
    }

    private static func item(_ pattern: String, _ replay: ReplayPoint? = nil) throws -> SubscriptionItem {
        SubscriptionItem(try ChannelPattern(pattern, grammar: .cometd, maximumBytes: 1_000), replay: replay)
    }

    @Test("It is what each of them wants", arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func random(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let names = ["/a", "/b", "/a/a", "/a/b", "/b/a", "/a/a/a", "/a/a/b", "/a/b/a", "/a/a/a/a", "/ab", "/ab/a"]
        let patterns = names + ["/**", "/*", "/a/**", "/a/*", "/a/a/**", "/a/a/*", "/a/b/**", "/ab/*", "/b/**"]
        for _ in 0..<200 {
            let items = try (0...Int.random(in: 0...6, using: &generator)).map { _ in
                let number = UInt64.random(in: 0...9, using: &generator)
                let points: [ReplayPoint?] = [nil, .newOnly, .everything, .after(number), .after(number)]
                return try Self.item(
                    patterns[Int.random(in: patterns.indices, using: &generator)],
                    points[Int.random(in: points.indices, using: &generator)])
            }
            var wanted = WantedPast(of: items)
            let roots = wanted.roots()
            for text in names {
                let channel = try Self.name(text)
                let matching = items.filter { $0.start != nil && $0.pattern.matches(channel) }
                let start = wanted.start(in: channel)
                #expect(start?.entries == matching.compactMap(\.start).min(), "\(text) of \(items)")
                #expect(start?.losses == matching.filter(\.wantsLosses).compactMap(\.start).min())
                let rootCount = roots.filter { $0.matches(channel) }.count
                #expect(rootCount == (matching.isEmpty ? 0 : 1), "\(text) of \(items)")
            }
        }
    }

    @Test("Two lists overlap where a channel is wanted by both")
    func overlap() throws {
        let names = ["/a", "/b", "/a/a", "/a/b", "/b/a", "/a/a/a", "/a/a/b", "/a/b/a", "/a/a/a/a", "/ab", "/ab/a"]
        let patterns = names + ["/**", "/*", "/a/**", "/a/*", "/a/a/**", "/a/a/*", "/a/b/**", "/ab/*", "/b/**"]
        let (other, new) = (try Self.item("/c/**", .everything), try Self.item("/**", .newOnly))
        for first in patterns {
            for second in patterns {
                let (one, two) = (try Self.item(first), try Self.item(second, .after(3)))
                var isCommon = false
                for text in names {
                    let name = try Self.name(text)
                    if one.pattern.matches(name), two.pattern.matches(name) { isCommon = true }
                }
                let doOverlap = WantedPast.overlap([one], [two])
                #expect(doOverlap == isCommon, "\(first) and \(second)")
                let isAnyCommon = WantedPast.overlap([other, one], [two, new])
                #expect(isAnyCommon == (isCommon || second == "/**"), "\(first) and \(second)")
            }
        }
    }

    @Test("Nested patterns are read as one, whatever they want")
    func roots() throws {
        var prefix = ""
        var items: [SubscriptionItem] = []
        for depth in 0..<250 {
            items.append(try Self.item(prefix + "/**", .after(UInt64(250 - depth))))
            prefix += "/a"
        }
        var wanted = WantedPast(of: items.reversed())
        let roots = wanted.roots()
        #expect(roots.map(\.text) == ["/**"])
        let earliest = wanted.earliest
        #expect(earliest == 1)
        let start = wanted.start(in: try Self.name("/a/a/b"))
        #expect(start?.entries == 248)
    }

    @Test("At a glance there may be something among very many channels, and nothing among a few that do not match")
    func glance() throws {
        var log = MemoryLog()
        func append(_ sequence: UInt64) throws {
            log.append(
                PublicationDraft(
                    channel: try Self.name("/a/\(sequence)"), data: [0x31], retention: .replace, publishedAt: 0,
                    expiresAt: nil), sequence: sequence)
        }
        for sequence in 1...1_000 as ClosedRange<UInt64> { try append(sequence) }
        let isRetainedAmongFew = log.hasRetained(for: [try Self.item("/b/*")])
        #expect(!isRetainedAmongFew)
        try append(1_001)
        let isRetainedAmongMany = log.hasRetained(for: [try Self.item("/b/*")])
        #expect(isRetainedAmongMany)
        let isNameRetained = log.hasRetained(for: [try Self.item("/b/c")])
        #expect(!isNameRetained)
    }

    /// With a comparison for each pair, these would be hundreds of millions of long names.
    @Test("A hundred thousand channels and a thousand patterns that match none of them")
    func manyChannels() throws {
        let folder = "/" + String(repeating: "a", count: 120) + "/"
        var log = MemoryLog()
        for number in 1...100_000 {
            log.append(
                PublicationDraft(
                    channel: try Self.name("\(folder)\(number)"), data: [0x31], retention: .replace,
                    history: .init(count: 1, until: .max), publishedAt: 0, expiresAt: nil),
                sequence: UInt64(number))
        }
        var items = try (0..<1_000).map { try Self.item("\(folder)\($0)/**", .everything) }
        var collector = BacklogCollector(limit: 10)
        let fruitless = BacklogRequest(items: items, through: .max, limit: 10, wall: 0)
        log.collect(fruitless, into: &collector)
        let nothing = collector.firstPage(of: fruitless, read: log.publication)
        #expect(nothing.entries.isEmpty && nothing.losses.isEmpty)
        collector = BacklogCollector(limit: 10)
        items.append(try Self.item("\(folder)*", .after(99_998)))
        #expect(log.hasRetained(for: items))
        let request = BacklogRequest(items: items, through: .max, limit: 10, wall: 0)
        log.collect(request, into: &collector)
        let page = collector.firstPage(of: request, read: log.publication)
        #expect(page.entries.map(\.publication.sequence) == [99_999, 100_000])
        #expect(page.losses.isEmpty)
    }
}

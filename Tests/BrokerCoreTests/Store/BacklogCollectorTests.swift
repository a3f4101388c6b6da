import Support
import Testing

@testable import BrokerCore

/// What a subscriber is given of the past, however often and in whatever order it is found.
@Suite("The collector of a backlog")
struct BacklogCollectorTests {
    /// One publication that is found.
    private struct Find {
        let sequence: UInt64
        let isRetained: Bool

        /// Of so many channels.
        var channel: String { "/c/\(sequence % 7)" }
    }

    /// What they are found for does not matter while few are lost.
    private static let request = BacklogRequest(items: [], through: .max, limit: 0, wall: 0)

    private static func name(_ text: String) throws -> ChannelName {
        try ChannelName(text, grammar: .cometd, maximumBytes: 100)
    }

    private static func publication(_ sequence: UInt64) throws -> StoredPublication {
        StoredPublication(sequence: sequence, channel: try name("/c/\(sequence % 7)"), data: [0x31])
    }

    /// The newest of all finds, each once, and a gap on the channels of the others.
    private static func expected(_ finds: [Find], limit: Int) throws -> Backlog {
        let sequences = Set(finds.map(\.sequence)).sorted()
        let retained = Set(finds.filter(\.isRetained).map(\.sequence))
        var losses = LossCollector()
        for sequence in sequences.dropLast(limit) {
            losses.add(sequence...sequence, of: try name("/c/\(sequence % 7)"))
        }
        return Backlog(
            entries: try sequences.suffix(limit).map {
                .init(try publication($0), isRetained: retained.contains($0))
            }, losses: losses.losses)
    }

    @Test(
        "It gives the newest of all, tells the rest as lost, and never holds more than twice as many",
        arguments: [0, 1, 2, 7, 50, 400])
    func bound(limit: Int) throws {
        var generator = SeededGenerator(seed: UInt64(limit))
        let finds = (0..<5_000).map { _ in
            Find(
                sequence: .random(in: 1...1_000, using: &generator), isRetained: .random(using: &generator))
        }
        for count in [0, 1, 2, 3, 10, 99, 100, 101, 1_000, 5_000] {
            var collector = BacklogCollector(limit: limit)
            var peak = 0
            for find in finds.prefix(count) {
                let channel = try Self.name(find.channel)
                if find.isRetained {
                    collector.addRetained(find.sequence, of: channel)
                } else {
                    collector.add(find.sequence, of: channel)
                }
                peak = max(peak, collector.places.count)
            }
            #expect(peak <= 2 * limit)
            let page = try collector.firstPage(of: Self.request) { try Self.publication($0) }
            let expected = try Self.expected(Array(finds.prefix(count)), limit: limit)
            #expect(page == expected)
        }
    }

    @Test("A publication that is found again after it was left out stays out")
    func foundAgain() throws {
        var collector = BacklogCollector(limit: 2)
        for sequence in [1, 2, 3, 4, 1, 2, 5, 3, 1] as [UInt64] {
            collector.addRetained(sequence, of: try Self.name("/c/\(sequence % 7)"))
        }
        let page = try collector.firstPage(of: Self.request) { try Self.publication($0) }
        #expect(page.entries.map(\.publication.sequence) == [4, 5])
        #expect(page.losses.map(\.channels.text) == ["/c/1", "/c/2", "/c/3"])
    }

    @Test("What is gone when its turn comes is missed in a history, and not when it was only retained")
    func gone() throws {
        var collector = BacklogCollector(limit: 10)
        collector.addRetained(1, of: try Self.name("/c/1"))
        collector.addRetained(2, of: try Self.name("/c/2"))
        collector.add(2, of: try Self.name("/c/2"))
        collector.add(3, of: try Self.name("/c/3"))
        let page = collector.firstPage(of: Self.request) { _ in nil }
        #expect(page.entries.isEmpty)
        #expect(page.losses.map(\.channels.text) == ["/c/2", "/c/3"])
    }

    @Test("Of very many channels, those that come last are told of together, as a gap of each pattern")
    func manyLosses() throws {
        let items = try ["/a/**", "/a/1/**", "/a/1/*", "/b/*", "/c/7", "/c/8"].map {
            SubscriptionItem(try ChannelPattern($0, grammar: .cometd, maximumBytes: 100), replay: .after(0))
        }
        let request = BacklogRequest(items: items, through: .max, limit: 10, wall: 0)
        var collector = BacklogCollector(limit: 10)
        for number in 1...1_000 as ClosedRange<UInt64> {
            let text = number <= 600 ? "/a/\(number % 2)/\(number)" : "/b/\(number)"
            collector.addLoss(of: try Self.name(text), after: number - 1, through: number)
        }
        collector.addLoss(of: try Self.name("/c/7"), after: 6, through: 7)
        let losses = collector.firstPage(of: request) { _ in nil }.losses
        #expect(losses.count == 103)
        let single = losses.prefix(100)
        #expect(single.allSatisfy { $0.channels.text.hasPrefix("/a/0/") })
        #expect(losses.suffix(3).map(\.channels.text) == ["/a/**", "/b/*", "/c/7"])
        let others = Set(1...600 as ClosedRange<UInt64>).subtracting(single.compactMap { $0.gap.sequences?.lowerBound })
        let (first, last) = (try #require(others.min()), try #require(others.max()))
        let ranges: [ClosedRange<UInt64>?] = [first...last, 601...1_000, 7...7]
        #expect(losses.suffix(3).map(\.gap.sequences) == ranges)
    }

    @Test("A page of publications that are gone has so many gaps, not more")
    func manyGone() throws {
        var collector = BacklogCollector(limit: 10_000)
        for number in 1...2_000 as ClosedRange<UInt64> {
            collector.add(number, of: try Self.name("/d/\(number)"))
        }
        var page = collector.firstPage(of: Self.request) { _ in nil }
        var counts = [page.losses.count]
        while let rest = page.rest {
            page = rest.nextPage { _ in nil }
            counts.append(page.losses.count)
        }
        #expect(counts.allSatisfy { $0 <= BacklogPlan.pageCount })
        #expect(counts.reduce(0, +) == 2_000)
    }

    @Test("For a page so many places are looked at, not more, whatever is gone of them", arguments: [true, false])
    func manyPlaces(isRetained: Bool) throws {
        let channel = try Self.name("/d")
        var collector = BacklogCollector(limit: 100_000)
        for number in 1...100_000 as ClosedRange<UInt64> {
            if isRetained {
                collector.addRetained(number, of: channel)
            } else {
                collector.add(number, of: channel)
            }
        }
        var looked: [UInt64] = []
        func read(_ sequence: UInt64) -> StoredPublication? {
            looked.append(sequence)
            return nil
        }
        var page = collector.firstPage(of: Self.request, read: read)
        var (counts, lossCount) = ([looked.count], page.losses.count)
        while let rest = page.rest {
            let before = looked.count
            page = rest.nextPage(read: read)
            counts.append(looked.count - before)
            lossCount += page.losses.count
        }
        #expect(counts.allSatisfy { $0 <= BacklogPlan.pagePlaces })
        #expect(looked == Array(1...100_000))
        #expect(lossCount == (isRetained ? 0 : counts.count))
    }
}

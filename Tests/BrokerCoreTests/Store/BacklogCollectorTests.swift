import BrokerCore
import Support
import Testing

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
                peak = max(peak, collector.placeCount)
            }
            #expect(peak <= 2 * limit)
            let page = try collector.firstPage { try Self.publication($0) }
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
        let page = try collector.firstPage { try Self.publication($0) }
        #expect(page.entries.map(\.publication.sequence) == [4, 5])
        #expect(page.losses.map(\.channel.text) == ["/c/1", "/c/2", "/c/3"])
    }

    @Test("What is gone when its turn comes is missed in a history, and not when it was only retained")
    func gone() throws {
        var collector = BacklogCollector(limit: 10)
        collector.addRetained(1, of: try Self.name("/c/1"))
        collector.addRetained(2, of: try Self.name("/c/2"))
        collector.add(2, of: try Self.name("/c/2"))
        collector.add(3, of: try Self.name("/c/3"))
        let page = collector.firstPage { _ in nil }
        #expect(page.entries.isEmpty)
        #expect(page.losses.map(\.channel.text) == ["/c/2", "/c/3"])
    }
}

import BrokerCore
import Testing

@Suite("Subscription table")
struct SubscriptionTableTests {
    private func pattern(_ text: String) throws -> ChannelPattern {
        try ChannelPattern(text, grammar: .cometd, maximumBytes: 10_000)
    }

    private func name(_ text: String) throws -> ChannelName {
        try ChannelName(text, grammar: .cometd, maximumBytes: 10_000)
    }

    @Test("Subscribing twice and unsubscribing twice are told apart from the first time")
    func repeats() throws {
        var table = SubscriptionTable(seed: 1)
        let pattern = try pattern("/a/*")
        let answers = [
            table.unsubscribe(7, from: pattern), table.subscribe(7, to: pattern), table.subscribe(7, to: pattern),
            table.unsubscribe(8, from: pattern), table.unsubscribe(7, from: pattern),
            table.unsubscribe(7, from: pattern),
        ]
        #expect(answers == [false, true, false, false, true, false])
        #expect(table.subscriptionCount == 0)
        #expect(table.patternCount == 0)
    }

    @Test("Results are appended; what was there stays and does not count as taken")
    func appends() throws {
        var table = SubscriptionTable(seed: 1)
        for text in ["/a", "/*", "/**"] { _ = table.subscribe(5, to: try pattern(text)) }
        _ = table.subscribe(6, to: try pattern("/*"))
        var result: [UInt32] = [5, 99]
        table.match(try name("/a"), into: &result)
        #expect(result.prefix(2) == [5, 99])
        #expect(result.dropFirst(2).sorted() == [5, 6])
    }

    @Test("An empty table, and bytes that are no name, match nothing")
    func nothing() throws {
        var table = SubscriptionTable(seed: 1)
        var result: [UInt32] = []
        table.match(try name("/a"), into: &result)
        _ = table.subscribe(1, to: try pattern("/a"))
        for text in ["", "a", "/", "/b", "/a/", "\u{0}/a"] {
            table.match(validName: text.utf8.span.bytes, into: &result)
        }
        #expect(result.isEmpty)
    }

    @Test("The count of one pattern leaves out others that match the same")
    func countOfPattern() throws {
        var table = SubscriptionTable(seed: 1)
        for handle in UInt32(0)..<40 { _ = table.subscribe(handle, to: try pattern("/a/*")) }
        _ = table.subscribe(3, to: try pattern("/a/b"))
        #expect(table.subscriberCount(of: try pattern("/a/*")) == 40)
        #expect(table.subscriberCount(of: try pattern("/a/b")) == 1)
        #expect(table.subscriberCount(of: try pattern("/a/**")) == 0)
        #expect(table.subscriptionCount == 41)
        #expect(table.patternCount == 2)
    }

    /// Two patterns that have the same hash under seed 1, and a name that only the second one matches.
    struct CollidingRow: Sendable {
        let first: String
        let second: String
        let name: String

        init(_ first: String, _ second: String, name: String? = nil) {
            self.first = first
            self.second = second
            self.name = name ?? second
        }
    }

    @Test(
        "Patterns with equal hashes stay apart",
        arguments: [
            CollidingRow("/channel/65551", "/channel/113981"),
            // Of one length, and different in the first 8 bytes, in the second 8, and in what is left over.
            CollidingRow("/0008700/x", "/0028893/x"),
            CollidingRow("/rooms/0/0001083", "/rooms/0/0081481"),
            CollidingRow("/rooms-00013828", "/rooms-00014809"),
            // One begins with the other.
            CollidingRow("/room/002382711797", "/room/002382711797/a"),
            CollidingRow("/room/002382711797/a", "/room/002382711797"),
            // Only the wildcards differ.
            CollidingRow(
                "/room/003889674788/a/*", "/room/003889674788/a/**", name: "/room/003889674788/a/b/c"),
        ])
    func equalHashes(row: CollidingRow) throws {
        let (first, second) = (try pattern(row.first), try pattern(row.second))
        let hash = ChannelHash(seed: 1)
        func hashed(_ pattern: ChannelPattern) -> UInt32 {
            pattern.prefix.utf8.span.bytes.withUnsafeBytes { hash.hash(ofPrefix: $0, kind: pattern.kind) }
        }
        try #require(hashed(first) == hashed(second))
        var table = SubscriptionTable(seed: 1)
        var result: [UInt32] = []
        _ = table.subscribe(1, to: first)
        table.match(try name(row.name), into: &result)
        #expect(result == [])
        _ = table.subscribe(2, to: second)
        table.match(try name(row.name), into: &result)
        #expect(result == [2])
        let removed = table.unsubscribe(1, from: first)
        #expect(removed)
        table.match(try name(row.name), into: &result)
        #expect(result == [2, 2])
    }

    @Test("Another seed gives other hashes")
    func seeds() {
        let text = "/chat/room-1"
        let hashes = (UInt64(0)..<100).map { seed in
            text.utf8.span.bytes.withUnsafeBytes { ChannelHash(seed: seed).hash(ofPrefix: $0, kind: .exact) }
        }
        #expect(Set(hashes).count == 100)
    }

    @Test("Names 500 segments deep match each of their prefixes")
    func deep() throws {
        let depth = 500
        let text = String(repeating: "/a", count: depth)
        var table = SubscriptionTable(seed: 3)
        for level in 0..<depth {
            let prefix = String(repeating: "/a", count: level)
            _ = table.subscribe(UInt32(level), to: try pattern(prefix + "/**"))
            _ = table.subscribe(UInt32(level), to: try pattern(prefix + "/*"))
        }
        _ = table.subscribe(1000, to: try pattern(text))
        var result: [UInt32] = []
        table.match(try name(text), into: &result)
        let everybody = Array(UInt32(0)..<UInt32(depth)) + [1000]
        #expect(result.sorted() == everybody)
    }

    @Test("100,000 subscriptions come and go; the table is empty afterwards")
    func manySubscriptions() throws {
        var table = SubscriptionTable(seed: 9)
        let shared = try pattern("/news/**")
        let own = try (0..<1000).map { try pattern("/user/\($0)") }
        for handle in UInt32(0)..<50_000 {
            let isNew = table.subscribe(handle, to: shared)
            let isNewToo = table.subscribe(handle, to: own[Int(handle) % own.count])
            #expect(isNew && isNewToo)
        }
        #expect(table.subscriptionCount == 100_000)
        #expect(table.patternCount == 1001)
        var result: [UInt32] = []
        table.match(try name("/news/today"), into: &result)
        #expect(result.count == 50_000)
        #expect(Set(result).count == 50_000)
        result.removeAll()
        table.match(try name("/user/17"), into: &result)
        let owners = Array(stride(from: UInt32(17), to: 50_000, by: 1000))
        #expect(result.sorted() == owners)
        let reserved = table.reservedByteCount()
        #expect(reserved > 100_000 * 4)
        // From the middle outwards, so that removal meets every position.
        for step in UInt32(0)..<50_000 {
            let handle = (step &* 31_337 &+ 25_000) % 50_000
            let wasThere = table.unsubscribe(handle, from: shared)
            let wasThereToo = table.unsubscribe(handle, from: own[Int(handle) % own.count])
            #expect(wasThere && wasThereToo)
        }
        #expect(table.subscriptionCount == 0)
        #expect(table.patternCount == 0)
        #expect(table.reservedByteCount() == 0)
        result.removeAll()
        table.match(try name("/news/today"), into: &result)
        #expect(result.isEmpty)
    }

    @Test("Memory is given back when patterns go, and when subscribers of one pattern do")
    func memory() throws {
        var table = SubscriptionTable(seed: 9)
        let patterns = try (0..<10_000).map { try pattern("/user/\($0)/*") }
        for pattern in patterns { _ = table.subscribe(0, to: pattern) }
        let manyPatterns = table.reservedByteCount()
        for pattern in patterns.dropFirst(10) { _ = table.unsubscribe(0, from: pattern) }
        #expect(table.patternCount == 10)
        #expect(table.reservedByteCount() * 100 < manyPatterns)
        for handle in UInt32(0)..<1000 { _ = table.subscribe(handle, to: patterns[0]) }
        for handle in UInt32(1)..<1000 { _ = table.unsubscribe(handle, from: patterns[0]) }
        // What remains is 4 bytes for each handle there ever was, and little more.
        #expect(table.subscriptionCount == 10)
        #expect(table.reservedByteCount() < 16_000)
        var result: [UInt32] = []
        for index in 0..<10 { table.match(try name("/user/\(index)/x"), into: &result) }
        #expect(result == Array(repeating: 0, count: 10))
    }
}

import BrokerCore
import Support
import Testing

/// What every store keeps of a channel's past.
@Suite("History")
struct HistoryTests {
    private static func draft(
        _ channel: String, _ data: String, count: Int?, until: Int64 = .max,
        retention: PublicationDraft.Retention? = nil, expiresAt: Int64? = nil
    ) throws -> PublicationDraft {
        PublicationDraft(
            channel: try name(channel), data: Array(data.utf8), isBinary: data == "\"binary\"", retention: retention,
            history: count.map { .init(count: $0, until: until) }, publishedAt: 0, expiresAt: expiresAt)
    }

    private static func item(_ pattern: String, _ replay: ReplayPoint?) throws -> SubscriptionItem {
        SubscriptionItem(try patterns(pattern)[0], replay: replay)
    }

    private static func backlog(_ outcome: StoreOutcome?) -> Backlog? {
        if case .backlog(_, let backlog)? = outcome { backlog } else { nil }
    }

    @Test("The last ones of each channel, and what has gone is known", arguments: StoreKind.allCases)
    func trimming(kind: StoreKind) throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(kind, in: folder)
        defer { opened.store.close() }
        for number in 1...5 { _ = opened.run([.publish(1, try Self.draft("/a", "\(number)", count: 3))]) }
        _ = opened.run([.publish(1, try Self.draft("/b", "\"binary\"", count: 3))])
        let outcomes = opened.run([
            .readHistory(1, try name("/a"), after: 0, limit: 10, wall: 0),
            .readHistory(2, try name("/a"), after: 3, limit: 1, wall: 0),
            .readHistory(3, try name("/c"), after: 0, limit: 10, wall: 0),
            .subscribe(4, nil, [try Self.item("/**", .after(2))], wall: 0),
        ])
        let lost = Backlog.Loss(try name("/a"), Gap(sequences: 1...2))
        #expect(Self.backlog(outcomes[0])?.publications.map(\.sequence) == [3, 4, 5])
        #expect(Self.backlog(outcomes[0])?.losses == [lost])
        #expect(Self.backlog(outcomes[1])?.publications == [try stored(4, "/a", "4")])
        #expect(Self.backlog(outcomes[1])?.losses == [])
        #expect(Self.backlog(outcomes[2]) == Backlog())
        #expect(Self.backlog(outcomes[3])?.publications.map(\.sequence) == [3, 4, 5, 6])
        #expect(Self.backlog(outcomes[3])?.publications.map(\.isBinary) == [false, false, false, true])
        #expect(Self.backlog(outcomes[3])?.losses == [])
    }

    @Test(
        "Of more than may be given the newest are, and the gap goes from the oldest on", arguments: StoreKind.allCases)
    func beyondTheLimit(kind: StoreKind) throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(kind, in: folder)
        defer { opened.store.close() }
        for number in 1...9 {
            _ = opened.run([.publish(1, try Self.draft(number == 5 ? "/b" : "/a", "\(number)", count: 99))])
        }
        for patterns in [["/a", "/b"], ["/**"], ["/*", "/**", "/a"]] {
            let backlog = opened.backlog(of: try patterns.map { try Self.item($0, .everything) }, limit: 2)
            #expect(backlog?.publications.map(\.sequence) == [8, 9])
            let lost = [
                Backlog.Loss(try name("/a"), Gap(sequences: 1...7)), .init(try name("/b"), Gap(sequences: 5...5)),
            ]
            #expect(backlog?.losses == lost)
        }
    }

    @Test("What makes room after the subscription is not told as lost", arguments: StoreKind.allCases)
    func trimmedSince(kind: StoreKind) throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(kind, in: folder)
        defer { opened.store.close() }
        for number in 1...9 { _ = opened.run([.publish(1, try Self.draft("/a", "\(number)", count: 2))]) }
        for (after, through, gap) in [(1, 5, 2...5), (5, 5, nil), (1, 8, 2...7)]
            as [(UInt64, UInt64, ClosedRange<UInt64>?)]
        {
            let backlog = opened.backlog(of: [try Self.item("/*", .after(after))], through: through)
            let lost = try gap.map { Backlog.Loss(try name("/a"), Gap(sequences: $0)) }
            #expect(backlog?.losses == [lost].compactMap { $0 })
            #expect(backlog?.publications.map(\.sequence) == (through == 8 ? [8] : []))
        }
    }

    @Test("What grows too old is not given, whatever the number", arguments: StoreKind.allCases)
    func age(kind: StoreKind) throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(kind, in: folder)
        defer { opened.store.close() }
        _ = opened.run([
            .publish(1, try Self.draft("/a", "1", count: 9, until: 100)),
            .publish(2, try Self.draft("/a", "2", count: 9, until: 200)),
            .publish(3, try Self.draft("/a", "3", count: 9, until: 200, expiresAt: 150)),
        ])
        // Who wants what lies behind a number is told what has grown too old; what has expired by itself is not missed.
        let rows: [(wall: Int64, sequences: [UInt64], lost: ClosedRange<UInt64>?)] = [
            (99, [1, 2, 3], nil), (100, [2, 3], 1...1), (150, [2], 1...1), (200, [], 1...2),
        ]
        for (wall, sequences, lost) in rows {
            let losses = try [lost].compactMap { $0 }.map { Backlog.Loss(try name("/a"), Gap(sequences: $0)) }
            for limit in [0, 10] {
                let outcome = opened.run([.readHistory(1, try name("/a"), after: 0, limit: limit, wall: wall)]).first
                #expect(Self.backlog(outcome)?.publications.map(\.sequence) == (limit == 0 ? [] : sequences))
                #expect(Self.backlog(outcome)?.losses == losses)
            }
            for pattern in ["/a", "/*"] {
                let backlog = opened.backlog(of: [try Self.item(pattern, .after(0))], wall: wall)
                #expect(backlog?.publications.map(\.sequence) == sequences)
                #expect(backlog?.losses == losses)
                #expect(opened.backlog(of: [try Self.item(pattern, .everything)], wall: wall)?.losses == [])
                // What comes behind the subscription is live.
                let older = opened.backlog(of: [try Self.item(pattern, .after(0))], through: 1, wall: wall)
                let olderLosses = wall < 100 ? [] : [Backlog.Loss(try name("/a"), Gap(sequences: 1...1))]
                #expect(older?.losses == olderLosses)
            }
        }
    }

    @Test("A retained message stays when it leaves the history, and the other way round", arguments: StoreKind.allCases)
    func retained(kind: StoreKind) throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(kind, in: folder)
        defer { opened.store.close() }
        _ = opened.run([
            .publish(1, try Self.draft("/a", "1", count: 2, retention: .replace)),
            .publish(2, try Self.draft("/a", "2", count: 2)), .publish(3, try Self.draft("/a", "3", count: 2)),
        ])
        let kept = opened.run([
            .subscribe(1, nil, [try Self.item("/a", .everything)], wall: 0)
        ])
        #expect(
            Self.backlog(kept.first)?.entries == [
                .init(try stored(1, "/a", "1"), isRetained: true), .init(try stored(2, "/a", "2"), isRetained: false),
                .init(try stored(3, "/a", "3"), isRetained: false),
            ])
        _ = opened.run([.publish(1, try Self.draft("/a", "null", count: 2, retention: .clear))])
        let cleared = opened.run([
            .subscribe(1, nil, [try Self.item("/a", nil)], wall: 0),
            .readHistory(2, try name("/a"), after: 0, limit: 10, wall: 0),
        ])
        #expect(Self.backlog(cleared[0]) == Backlog())
        #expect(Self.backlog(cleared[1])?.publications.map(\.sequence) == [3, 4])
    }

    @Test("A page ends with so many bytes, and has one publication at least", arguments: StoreKind.allCases)
    func bytes(kind: StoreKind) throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(kind, in: folder)
        defer { opened.store.close() }
        let most = HistoryPage.maximumBytes
        for count in [1, most - 2, 1, 1, most - 1, 1, most + 1, 1] {
            _ = opened.run([.publish(1, try Self.draft("/a", String(repeating: "1", count: count), count: 9))])
        }
        var pages: [[UInt64]] = []
        while pages.last != [] {
            let after = pages.last?.last ?? 0
            let outcome = opened.run([.readHistory(1, try name("/a"), after: after, limit: 9, wall: 0)]).first
            pages.append(try #require(Self.backlog(outcome)).publications.map(\.sequence))
        }
        #expect(pages == [[1, 2, 3], [4, 5], [6, 7], [8], []])
    }

    @Test("A database that is opened again has the history, and knows what has gone")
    func restart() throws {
        let folder = try TemporaryFolder()
        let first = try OpenedStore(path: folder.file("fanfare.db"))
        for number in 1...4 { _ = first.run([.publish(1, try Self.draft("/a", "\(number)", count: 2))]) }
        first.store.close()
        let second = try OpenedStore(path: folder.file("fanfare.db"))
        defer { second.store.close() }
        let outcome = second.run([.readHistory(1, try name("/a"), after: 0, limit: 10, wall: 0)]).first
        #expect(Self.backlog(outcome)?.publications.map(\.sequence) == [3, 4])
        #expect(Self.backlog(outcome)?.losses == [Backlog.Loss(try name("/a"), Gap(sequences: 1...2))])
    }

    @Test("Both stores say the same, whatever happens", arguments: [1, 2, 3, 4, 5] as [UInt64])
    func random(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let folder = try TemporaryFolder()
        let (memory, sqlite) = (try OpenedStore(.memory, in: folder), try OpenedStore(.sqlite, in: folder))
        defer {
            memory.store.close()
            sqlite.store.close()
        }
        for step in 0..<400 {
            let operation = try Self.operation(wall: Int64(step), using: &generator)
            #expect(memory.run([operation]) == sqlite.run([operation]), "step \(step): \(operation)")
        }
    }

    private static func operation(wall: Int64, using generator: inout SeededGenerator) throws -> StoreOperation {
        func pick<Value>(_ values: [Value]) -> Value { values[Int.random(in: values.indices, using: &generator)] }
        let channel = pick(["/a", "/b", "/a/x", "/a/y", "/a/x/z", "/ab"])
        switch Int.random(in: 0..<10, using: &generator) {
        case 0...5:
            // The history of a channel is of one length; its publications may be retained, and grow old.
            let count = channel.count > 4 ? nil : channel.count
            let retention = pick([nil, nil, .replace, .clear] as [PublicationDraft.Retention?])
            return .publish(
                1,
                try draft(
                    channel, retention == .clear ? "null" : "\(wall)", count: count,
                    until: pick([.max, wall + 20]), retention: count == nil ? retention ?? .replace : retention,
                    expiresAt: pick([nil, nil, wall + 10])))
        case 6:
            return .readHistory(
                1, try name(channel), after: UInt64.random(in: 0...UInt64(wall), using: &generator),
                limit: Int.random(in: 0...4, using: &generator), wall: wall)
        case 7:
            return .readRetained(1, try name(channel), wall: wall)
        default:
            let points: [ReplayPoint?] = [
                nil, .newOnly, .everything, .after(UInt64.random(in: 0...UInt64(wall), using: &generator)),
            ]
            let items = try (0...Int.random(in: 0...2, using: &generator)).map { _ in
                try item(pick(["/a", "/a/*", "/a/**", "/*", "/**", "/a/x", "/b"]), pick(points))
            }
            return .subscribe(1, .init(clientID: "s"), items, wall: wall)
        }
    }
}

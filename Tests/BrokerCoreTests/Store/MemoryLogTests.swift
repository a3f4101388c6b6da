import BrokerCore
import Testing

/// What a log in memory knows of what it has let go.
@Suite("The log in memory")
struct MemoryLogTests {
    @Test("What made room because it was too old is told as lost, and what had expired is not")
    func swept() throws {
        let channel = try ChannelName("/a", grammar: .cometd, maximumBytes: 100)
        func draft(until: Int64, expiresAt: Int64? = nil, at time: Int64 = 0) -> PublicationDraft {
            PublicationDraft(
                channel: channel, data: [0x31], retention: nil, history: .init(count: 9, until: until),
                publishedAt: time, expiresAt: expiresAt)
        }
        var log = MemoryLog()
        log.append(draft(until: 100), sequence: 1)
        log.append(draft(until: 100), sequence: 2)
        log.append(draft(until: 900, expiresAt: 100), sequence: 3)
        log.append(draft(until: 9_000), sequence: 4)
        // Room for two: the first three have to go.
        let isRoom = log.makeRoom(for: draft(until: 9_000, at: 2_000), within: 600)
        #expect(isRoom)
        #expect([1, 2, 3, 4].filter { log.publication($0) != nil } == [4])
        let item = SubscriptionItem(ChannelPattern(channel), replay: .after(0))
        let request = BacklogRequest(items: [item], through: .max, limit: 9, wall: 2_000)
        var collector = BacklogCollector(limit: 9)
        log.collect(request, into: &collector)
        let page = collector.firstPage(of: request, read: log.publication)
        let lost = [Backlog.Loss(channel, Gap(sequences: 1...2))]
        #expect(page.entries.map(\.publication.sequence) == [4])
        #expect(page.losses == lost)
        #expect(log.history(of: channel, after: 0, limit: 9, wall: 2_000).losses == lost)
    }

    @Test("A page of a history costs as much as is in it, and what is before it and too old")
    func pageOfHistory() throws {
        let channel = try ChannelName("/a", grammar: .cometd, maximumBytes: 100)
        var log = MemoryLog()
        for sequence in 1...5_000 as ClosedRange<UInt64> {
            log.append(
                PublicationDraft(
                    channel: channel, data: [0x31], retention: nil,
                    history: .init(count: 9_000, until: sequence > 2_000 ? .max : 100), publishedAt: 0,
                    expiresAt: nil), sequence: sequence)
        }
        // Of more publications than that it gives up.
        let most = MemoryLog.quickCount
        let page = log.quickHistory(of: channel, after: 3_000, limit: most, wall: 0)
        #expect(page == log.history(of: channel, after: 3_000, limit: most, wall: 0))
        #expect(page?.entries.map(\.publication.sequence) == Array(3_001...3_000 + UInt64(most)))
        #expect(log.quickHistory(of: channel, after: 3_000, limit: most + 1, wall: 0) == nil)
        #expect(log.history(of: channel, after: 3_000, limit: most + 1, wall: 0).entries.count == most + 1)
        let last = log.quickHistory(of: channel, after: 4_998, through: 4_999, limit: most, wall: 0)
        #expect(last?.entries.map(\.publication.sequence) == [4_999])
        #expect(log.quickHistory(of: channel, after: 4_999, through: 4_998, limit: most, wall: 0) == Backlog())
        #expect(log.quickHistory(of: channel, after: 0, limit: 1, wall: 100) == nil)
        let first = log.history(of: channel, after: 0, limit: 1, wall: 100)
        #expect(first.entries.map(\.publication.sequence) == [2_001])
        #expect(first.losses == [Backlog.Loss(channel, Gap(sequences: 1...2_000))])
    }

    @Test("What is named and has little behind it is quickly read, whatever else there is")
    func quick() throws {
        func isQuick(_ pattern: String, _ replay: ReplayPoint?, in log: MemoryLog) throws -> Bool {
            let pattern = try ChannelPattern(pattern, grammar: .cometd, maximumBytes: 100)
            let item = SubscriptionItem(pattern, replay: replay)
            return log.isQuick(BacklogRequest(items: [item], through: .max, limit: 9_000, wall: 0))
        }
        var log = MemoryLog()
        #expect(try isQuick("/**", .everything, in: log))
        for sequence in 1...5_000 as ClosedRange<UInt64> {
            log.append(
                PublicationDraft(
                    channel: try ChannelName("/a", grammar: .cometd, maximumBytes: 100), data: [0x31],
                    retention: .replace, history: .init(count: 9_000, until: .max), publishedAt: 0, expiresAt: nil),
                sequence: sequence)
        }
        #expect(try !isQuick("/**", nil, in: log))
        #expect(try isQuick("/**", .newOnly, in: log))
        #expect(try isQuick("/a", nil, in: log))
        #expect(try isQuick("/a", .after(4_500), in: log))
        #expect(try !isQuick("/a", .everything, in: log))
        #expect(try isQuick("/b", .everything, in: log))
    }

    @Test("A copy stays as it is, whatever comes and goes behind it")
    func copied() throws {
        let names = try (0..<2_000).map { try ChannelName("/a/\($0)", grammar: .cometd, maximumBytes: 100) }
        func sequences(in log: MemoryLog) throws -> [UInt64] {
            let pattern = try ChannelPattern("/a/*", grammar: .cometd, maximumBytes: 100)
            let item = SubscriptionItem(pattern, replay: .everything)
            let request = BacklogRequest(items: [item], through: .max, limit: 9_000, wall: 0)
            var collector = BacklogCollector(limit: 9_000)
            log.collect(request, into: &collector)
            var page = collector.firstPage(of: request, read: log.publication)
            var found = page.entries.map(\.publication.sequence)
            while let rest = page.rest {
                page = rest.nextPage(read: log.publication)
                found += page.entries.map(\.publication.sequence)
            }
            return found
        }
        var log = MemoryLog()
        func append(_ sequence: UInt64) {
            log.append(
                PublicationDraft(
                    channel: names[Int(sequence) % names.count], data: [0x31], retention: .replace,
                    history: .init(count: 1, until: .max), publishedAt: 0, expiresAt: nil), sequence: sequence)
        }
        for sequence in 1...2_000 as ClosedRange<UInt64> { append(sequence) }
        let copy = log
        for sequence in 2_001...3_000 as ClosedRange<UInt64> { append(sequence) }
        log.clearRetained(of: names[0])
        #expect(try sequences(in: copy) == Array(1...2_000))
        #expect(try sequences(in: log) == Array(1_001...3_000))
    }
}

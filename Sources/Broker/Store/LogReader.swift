import BrokerCore
import Foundation
import GRDB

/// Reads the log: with a connection that can only read, or within a transaction that writes.
struct LogReader {
    let database: Database
    /// What is kept in memory only.
    let volatile: VolatileLog

    /// Carries out an operation that reads.
    func outcome(of operation: StoreOperation) throws -> StoreOutcome {
        switch operation {
        case .readBacklog(let ticket, _, let interest) where interest.isGone: return .backlog(ticket, Backlog())
        case .readBacklog(let ticket, let request, _): return .backlog(ticket, try backlog(request))
        case .readOn(let ticket, let plan): return .backlog(ticket, try plan.nextPage(read: publications()))
        case .readRetained(let ticket, let channel, let wall):
            let found = try retained(of: channel, wall: wall)
            return .backlog(ticket, Backlog(entries: found.map { [.init($0, isRetained: true)] } ?? []))
        case .readHistory(let ticket, let channel, let after, let limit, let wall):
            return .backlog(ticket, try history(of: channel, after: after, limit: limit, wall: wall))
        case .publish, .subscribe, .unsubscribe, .endSession, .moveCursors, .pass, .probe:
            preconditionFailure("Cannot write when there is only a reader")
        }
    }

    private func backlog(_ request: BacklogRequest) throws -> Backlog {
        var collector = BacklogCollector(limit: request.limit)
        try collectRetained(request, into: &collector)
        try collectHistories(request, into: &collector)
        let isCollected = volatile.read { log in
            guard log.isQuick(request) else { return false }
            log.collect(request, into: &collector)
            return true
        }
        if !isCollected { volatile.snapshot.collect(request, into: &collector) }
        return try collector.firstPage(of: request, read: publications())
    }

    /// Whether a pattern matches a retained message.
    func hasRetained(for pattern: ChannelPattern) throws -> Bool {
        let (condition, arguments) = Self.condition(for: pattern, on: "retained")
        return try Bool.fetchOne(
            database.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM retained WHERE \(condition))"),
            arguments: arguments) ?? false
    }

    /// The retained messages of a backlog. Where patterns overlap, they are read once.
    private func collectRetained(_ request: BacklogRequest, into collector: inout BacklogCollector) throws {
        var wanted = WantedPast(of: request.items)
        for pattern in wanted.roots() {
            let (condition, arguments) = Self.condition(for: pattern, on: "retained")
            let rows = try Row.fetchCursor(
                database.cachedStatement(
                    sql: """
                        SELECT sequence, retained.channel FROM retained JOIN publication USING (sequence)
                        WHERE \(condition) AND sequence > ? AND sequence <= ?
                            AND (expires_at IS NULL OR expires_at > ?)
                        """),
                arguments: arguments + [
                    Int64(clamping: wanted.earliest), Int64(clamping: request.through), request.wall,
                ])
            while let row = try rows.next() {
                let sequence = UInt64(row[0] as Int64)
                guard let channel = ChannelName(stored: row[1]), let start = wanted.start(in: channel),
                    sequence > start.entries
                else { continue }
                collector.addRetained(sequence, of: channel)
            }
        }
    }

    /// The histories of a backlog. Where patterns overlap, they are read once.
    private func collectHistories(_ request: BacklogRequest, into collector: inout BacklogCollector) throws {
        var wanted = WantedPast(of: request.items.lazy.filter { $0.replay != nil })
        for pattern in wanted.roots() {
            let (condition, arguments) = Self.condition(for: pattern, on: "history")
            let channels = try Row.fetchCursor(
                database.cachedStatement(sql: "SELECT channel, trimmed, aged FROM history WHERE \(condition)"),
                arguments: arguments)
            while let row = try channels.next() {
                guard let channel = ChannelName(stored: row[0]), let start = wanted.start(in: channel) else { continue }
                try collectHistory(
                    of: channel, trimmed: UInt64(row[1] as Int64), aged: UInt64(row[2] as Int64), from: start, request,
                    into: &collector)
            }
        }
    }

    private func collectHistory(
        of channel: ChannelName, trimmed: UInt64, aged: UInt64, from start: WantedPast.Start,
        _ request: BacklogRequest, into collector: inout BacklogCollector
    ) throws {
        // What has left since is live for the subscriber.
        if let after = start.losses {
            let lost = try lastLost(
                of: channel, trimmed: trimmed, aged: aged, after: after, through: request.through, wall: request.wall)
            collector.addLoss(of: channel, after: after, through: lost)
        }
        let behind = Int64(clamping: max(start.entries, trimmed))
        let through = Int64(clamping: request.through)
        // One more than may be, so that what is left out is told as lost.
        let sequences = try Int64.fetchCursor(
            database.cachedStatement(
                sql: """
                    SELECT sequence FROM publication
                    WHERE \(Self.isInHistory)
                    ORDER BY sequence DESC LIMIT ?
                    """),
            arguments: [channel.text, behind, through, request.wall, request.limit + 1])
        var count = 0
        while let sequence = try sequences.next() {
            collector.add(UInt64(sequence), of: channel)
            count += 1
        }
        guard count > request.limit else { return }
        // What is left out begins with the oldest.
        let oldest = try Int64.fetchOne(
            database.cachedStatement(
                sql: """
                    SELECT sequence FROM publication
                    WHERE \(Self.isInHistory)
                    ORDER BY sequence LIMIT 1
                    """),
            arguments: [channel.text, behind, through, request.wall])
        if let oldest { collector.add(UInt64(oldest), of: channel) }
    }

    /// A publication that a channel's history still has. Arguments: the channel, behind and up to which number, and now.
    private static let isInHistory = "channel = ? AND sequence > ? AND sequence <= ? AND history_until > ?"

    /// The last publication up to `through` that a channel's history has not any more, whether it made room (`trimmed`), was
    /// deleted for its age (`aged`), or is to be; 0 if there is none. One that has expired is missed by nobody, and one
    /// that is retained is given all the same.
    private func lastLost(
        of channel: ChannelName, trimmed: UInt64, aged: UInt64, after: UInt64, through: UInt64, wall: Int64
    ) throws -> UInt64 {
        let sequence = try Int64.fetchOne(
            database.cachedStatement(
                sql: """
                    SELECT sequence FROM publication
                    WHERE channel = ? AND sequence > ? AND sequence <= ? AND history_until <= ?
                        AND (expires_at IS NULL OR expires_at > ?)
                        AND NOT EXISTS (SELECT 1 FROM retained WHERE retained.sequence = publication.sequence)
                    ORDER BY sequence DESC LIMIT 1
                    """),
            arguments: [
                channel.text, Int64(clamping: max(after, trimmed)), Int64(clamping: through), wall, wall,
            ])
        return min(max(trimmed, aged, sequence.map { UInt64($0) } ?? 0), through)
    }

    /// Finds publications by their sequence numbers, written or not.
    private func publications() throws -> (UInt64) throws -> StoredPublication? {
        let fetch = try PublicationFetch(database)
        guard !volatile.isEmpty else { return fetch.callAsFunction }
        return { sequence in
            try volatile.read { $0.publication(sequence) } ?? fetch(sequence)
        }
    }

    /// The retained message of a channel.
    func retained(of channel: ChannelName, wall: Int64) throws -> StoredPublication? {
        if let publication = volatile.read({ $0.retained(of: channel, wall: wall) }) { return publication }
        let row = try Row.fetchOne(
            database.cachedStatement(
                sql: """
                    SELECT sequence, publication.channel, data, is_binary
                    FROM retained JOIN publication USING (sequence)
                    WHERE retained.channel = ? AND (expires_at IS NULL OR expires_at > ?)
                    """), arguments: [channel.text, wall])
        return row.flatMap(StoredPublication.init(row:))
    }

    /// A page of a channel's history: what was written and what was not, for the policy may have been another before.
    private func history(of channel: ChannelName, after: UInt64, limit: Int, wall: Int64) throws -> Backlog {
        // Beyond that, one of the two may have what lies behind something that the other does not have yet.
        let through = min(volatile.lastSequence, try lastSequence())
        let quick = volatile.read {
            $0.quickHistory(of: channel, after: after, through: through, limit: limit, wall: wall)
        }
        let unwritten =
            quick ?? volatile.snapshot.history(of: channel, after: after, through: through, limit: limit, wall: wall)
        let row = try Row.fetchOne(
            database.cachedStatement(sql: "SELECT trimmed, aged FROM history WHERE channel = ?"),
            arguments: [channel.text])
        guard let row else { return unwritten }
        let (trimmed, aged): (Int64, Int64) = (row[0], row[1])
        let rows = try Row.fetchCursor(
            database.cachedStatement(
                sql: """
                    SELECT sequence, channel, data, is_binary FROM publication
                    WHERE \(Self.isInHistory)
                    ORDER BY sequence LIMIT ?
                    """),
            arguments: [
                channel.text, max(Int64(clamping: after), trimmed), Int64(clamping: through), wall, limit,
            ])
        var page = HistoryPage(limit: limit)
        var waiting = unwritten.entries.map(\.publication)[...]
        while !page.isFull, let row = try rows.next() {
            guard let publication = StoredPublication(row: row) else { continue }
            while let next = waiting.first, next.sequence < publication.sequence { page.append(waiting.removeFirst()) }
            page.append(publication)
        }
        for publication in waiting { page.append(publication) }
        // What is missing behind it is told with the next page, which looks for it.
        let end = page.end ?? through
        var losses = LossCollector()
        for case let sequences? in unwritten.losses.map(\.gap.sequences) where sequences.lowerBound <= end {
            losses.add(sequences.clamped(to: 0...end), of: channel)
        }
        let lost = try lastLost(
            of: channel, trimmed: UInt64(trimmed), aged: UInt64(aged), after: after, through: end, wall: wall)
        if lost > after { losses.add(after + 1...lost, of: channel) }
        return Backlog(entries: page.entries, losses: losses.losses)
    }

    private func lastSequence() throws -> UInt64 {
        let last = try Int64.fetchOne(database.cachedStatement(sql: "SELECT last_sequence FROM log"))
        return UInt64(last ?? 0)
    }

    /// The rows that a pattern matches, without reading others.
    private static func condition(for pattern: ChannelPattern, on table: String) -> (String, StatementArguments) {
        let prefix = pattern.prefix
        switch pattern.kind {
        case .exact: return ("\(table).channel = ?", [prefix])
        case .children: return ("\(table).parent = ?", [prefix])
        // "0" is the character behind "/": the range holds every name that begins with the prefix.
        case .descendants:
            return ("\(table).channel > ? AND \(table).channel < ?", [prefix, prefix.dropLast() + "0"])
        }
    }
}

extension StoredPublication {
    /// Sequence, channel, data and whether it is binary, in this order; nil if the channel's name is none.
    fileprivate init?(row: Row) {
        guard let channel = ChannelName(stored: row[1]) else { return nil }
        let data: [UInt8]? = try? row.withUnsafeData(atIndex: 2) { data in data.map { Array($0) } ?? [] }
        self.init(
            sequence: UInt64(row[0] as Int64), channel: channel, data: data ?? [], isBinary: row[3])
    }
}

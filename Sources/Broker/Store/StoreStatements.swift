import BrokerCore
import Foundation
import GRDB

/// What each operation is in SQL; used within one transaction.
struct StoreStatements {
    private let database: Database
    private var lastSequence: UInt64
    private var firstSequence: UInt64

    /// Begins a batch: reads how far the log is.
    init(_ database: Database) throws {
        self.database = database
        let last = try Int64.fetchOne(database.cachedStatement(sql: "SELECT last_sequence FROM log")) ?? 0
        lastSequence = UInt64(last)
        firstSequence = lastSequence
    }

    /// Ends a batch: writes down how far the log is.
    func finish() throws {
        guard lastSequence != firstSequence else { return }
        try execute("UPDATE log SET last_sequence = ?", [Int64(lastSequence)])
    }

    /// Carries out one operation.
    mutating func apply(_ operation: StoreOperation) throws -> StoreOutcome {
        switch operation {
        case .publish(let ticket, let draft):
            return .published(ticket, sequence: try publish(draft))
        case .subscribe(let ticket, let clientID, let items, let limits, let wall):
            if let clientID { try subscribe(clientID: clientID, patterns: items.map(\.pattern), wall: wall) }
            var backlog = BacklogBuilder(limits: limits)
            for item in items { try read(item, limits: limits, wall: wall, into: &backlog) }
            return .backlog(ticket, backlog.finish())
        case .unsubscribe(let ticket, let clientID, let patterns):
            for pattern in patterns {
                try execute(
                    """
                    DELETE FROM subscription
                    WHERE session_id = (SELECT id FROM session WHERE client_id = ?) AND pattern = ?
                    """, [clientID, pattern.text])
            }
            return .done(ticket)
        case .endSession(let ticket, let clientID):
            try execute("DELETE FROM session WHERE client_id = ?", [clientID])
            return .done(ticket)
        case .readRetained(let ticket, let channel, let wall):
            var backlog = BacklogBuilder(limits: BacklogLimits())
            try readRetained(ChannelPattern(channel), after: 0, wall: wall, into: &backlog)
            return .backlog(ticket, backlog.finish())
        case .readHistory(let ticket, let channel, let after, let limit, let wall):
            var backlog = BacklogBuilder(limits: BacklogLimits())
            let pattern = ChannelPattern(channel)
            try readHistory(pattern, after: after, limit: limit, newestFirst: false, wall: wall, into: &backlog)
            try readLosses(pattern, after: after, into: &backlog)
            return .backlog(ticket, backlog.finish())
        case .pass(let ticket):
            return .done(ticket)
        }
    }

    /// What outlived the last run; a new database gets its epoch here.
    static func load(_ database: Database, makeEpoch: () -> String) throws -> StoredState {
        try database.execute(
            sql: "INSERT OR IGNORE INTO log (id, epoch, last_sequence) VALUES (1, ?, 0)", arguments: [makeEpoch()])
        let epoch = try String.fetchOne(database, sql: "SELECT epoch FROM log") ?? ""
        var sessions: [StoredState.Session] = []
        var clientID: String?
        var patterns: [ChannelPattern] = []
        let rows = try Row.fetchCursor(
            database,
            sql: """
                SELECT client_id, pattern FROM session LEFT JOIN subscription ON session_id = session.id
                ORDER BY session.id
                """)
        while let row = try rows.next() {
            let next: String = row[0]
            if next != clientID {
                if let clientID { sessions.append(.init(clientID: clientID, patterns: patterns)) }
                clientID = next
                patterns = []
            }
            if let text = row[1] as String?, let pattern = ChannelPattern(stored: text) { patterns.append(pattern) }
        }
        if let clientID { sessions.append(.init(clientID: clientID, patterns: patterns)) }
        return StoredState(epoch: epoch, sessions: sessions)
    }

    private mutating func publish(_ draft: PublicationDraft) throws -> UInt64 {
        lastSequence += 1
        let channel = draft.channel.text
        if draft.retention == .replace || draft.history != nil {
            let until = draft.history.map { min($0.until, draft.expiresAt ?? .max) }
            try execute(
                """
                INSERT INTO publication (sequence, channel, data, published_at, expires_at, history_until, is_binary)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    Int64(lastSequence), channel, Data(draft.data), draft.publishedAt, draft.expiresAt, until,
                    draft.isBinary,
                ])
        }
        if draft.retention != nil { try replaceRetained(draft) }
        if let history = draft.history { try trim(channel, to: history.count) }
        return lastSequence
    }

    private func replaceRetained(_ draft: PublicationDraft) throws {
        let channel = draft.channel.text
        let replaced = try Int64.fetchOne(
            database.cachedStatement(sql: "SELECT sequence FROM retained WHERE channel = ?"), arguments: [channel])
        if draft.retention == .replace {
            try execute(
                """
                INSERT INTO retained (channel, parent, sequence) VALUES (?, ?, ?)
                ON CONFLICT (channel) DO UPDATE SET sequence = excluded.sequence
                """, [channel, draft.channel.parent, Int64(lastSequence)])
        } else {
            try execute("DELETE FROM retained WHERE channel = ?", [channel])
        }
        if let replaced {
            try execute("DELETE FROM publication WHERE sequence = ? AND history_until IS NULL", [replaced])
        }
    }

    /// Lets all but the last `count` publications of a channel leave its history: those that are retained stay.
    private func trim(_ channel: String, to count: Int) throws {
        let last = try Int64.fetchOne(
            database.cachedStatement(
                sql: """
                    SELECT sequence FROM publication WHERE channel = ? AND history_until IS NOT NULL
                    ORDER BY sequence DESC LIMIT 1 OFFSET ?
                    """), arguments: [channel, count])
        guard let last else { return }
        let arguments: StatementArguments = [channel, last]
        try execute(
            """
            INSERT INTO trimmed (channel, sequence) VALUES (?, ?)
            ON CONFLICT (channel) DO UPDATE SET sequence = excluded.sequence
            """, arguments)
        try execute(
            """
            DELETE FROM publication WHERE channel = ? AND sequence <= ? AND history_until IS NOT NULL
            AND sequence NOT IN (SELECT sequence FROM retained WHERE retained.channel = publication.channel)
            """, arguments)
        try execute(
            """
            UPDATE publication SET history_until = NULL
            WHERE channel = ? AND sequence <= ? AND history_until IS NOT NULL
            """, arguments)
    }

    private func subscribe(clientID: String, patterns: [ChannelPattern], wall: Int64) throws {
        try execute("INSERT OR IGNORE INTO session (client_id, created_at) VALUES (?, ?)", [clientID, wall])
        for pattern in patterns {
            try execute(
                """
                INSERT OR IGNORE INTO subscription (session_id, pattern)
                SELECT id, ? FROM session WHERE client_id = ?
                """, [pattern.text, clientID])
        }
    }

    /// What a subscription gets of the past.
    private func read(
        _ item: SubscriptionItem, limits: BacklogLimits, wall: Int64, into backlog: inout BacklogBuilder
    ) throws {
        let start: UInt64
        switch item.replay {
        case .newOnly: return
        case nil, .everything: start = 0
        case .after(let sequence): start = sequence
        }
        try readRetained(item.pattern, after: start, wall: wall, into: &backlog)
        guard item.replay != nil else { return }
        // One more than may be, so that what is left out is told as lost.
        try readHistory(
            item.pattern, after: start, limit: limits.messages + 1, newestFirst: true, wall: wall, into: &backlog)
        if case .after = item.replay { try readLosses(item.pattern, after: start, into: &backlog) }
    }

    /// The retained messages that a pattern matches.
    private func readRetained(
        _ pattern: ChannelPattern, after: UInt64, wall: Int64, into backlog: inout BacklogBuilder
    ) throws {
        let (condition, arguments) = Self.condition(for: pattern, on: "retained")
        let rows = try Row.fetchCursor(
            database.cachedStatement(
                sql: """
                    SELECT publication.sequence, publication.channel, data, is_binary
                    FROM retained JOIN publication USING (sequence)
                    WHERE \(condition) AND retained.sequence > ? AND (expires_at IS NULL OR expires_at > ?)
                    """), arguments: arguments + [Self.integer(after), wall])
        try add(rows, isRetained: true, to: &backlog)
    }

    /// The history of what a pattern matches.
    private func readHistory(
        _ pattern: ChannelPattern, after: UInt64, limit: Int, newestFirst: Bool, wall: Int64,
        into backlog: inout BacklogBuilder
    ) throws {
        let (condition, arguments) = Self.condition(for: pattern, on: "publication")
        let rows = try Row.fetchCursor(
            database.cachedStatement(
                sql: """
                    SELECT sequence, channel, data, is_binary FROM publication
                    WHERE \(condition) AND sequence > ? AND history_until > ?
                    ORDER BY sequence \(newestFirst ? "DESC" : "ASC") LIMIT ?
                    """), arguments: arguments + [Self.integer(after), wall, limit])
        try add(rows, isRetained: false, to: &backlog)
    }

    /// What has left the histories that a pattern matches, as far as it lies behind `after`.
    private func readLosses(_ pattern: ChannelPattern, after: UInt64, into backlog: inout BacklogBuilder) throws {
        let (condition, arguments) = Self.condition(for: pattern, on: "trimmed")
        let rows = try Row.fetchCursor(
            database.cachedStatement(
                sql: "SELECT channel, sequence FROM trimmed WHERE \(condition) AND sequence > ?"),
            arguments: arguments + [Self.integer(after)])
        while let row = try rows.next() {
            guard let channel = ChannelName(stored: row[0]) else { continue }
            backlog.add(Backlog.Loss(channel, Gap(sequences: after + 1...UInt64(row[1] as Int64))))
        }
    }

    private func add(_ rows: RowCursor, isRetained: Bool, to backlog: inout BacklogBuilder) throws {
        while let row = try rows.next() {
            guard let channel = ChannelName(stored: row[1]) else { continue }
            let publication = StoredPublication(
                sequence: UInt64(row[0] as Int64), channel: channel, data: [UInt8](row[2] as Data), isBinary: row[3])
            backlog.add(publication, isRetained: isRetained)
        }
    }

    /// The rows that a pattern matches, without reading others. Of `publication` and `trimmed`, which have no column for
    /// the parent, a pattern for one more segment reads all below it.
    private static func condition(for pattern: ChannelPattern, on table: String) -> (String, StatementArguments) {
        let prefix = pattern.prefix
        let column = "\(table).channel"
        switch pattern.kind {
        case .exact: return ("\(column) = ?", [prefix])
        case .children where table == "retained": return ("retained.parent = ?", [prefix])
        // "0" is the character behind "/": the range holds every name that begins with the prefix.
        case .children, .descendants:
            let range: StatementArguments = [prefix, prefix.dropLast() + "0"]
            guard pattern.kind == .children else { return ("\(column) > ? AND \(column) < ?", range) }
            return (
                "\(column) > ? AND \(column) < ? AND instr(substr(\(column), ?), '/') = 0", range + [prefix.count + 1]
            )
        }
    }

    /// A sequence number as SQLite holds it; one that it cannot hold is beyond all that there are.
    private static func integer(_ sequence: UInt64) -> Int64 { Int64(clamping: sequence) }

    private func execute(_ sql: String, _ arguments: StatementArguments) throws {
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
    }
}

extension ChannelName {
    /// A name that was valid when it was stored, under either grammar.
    init?(stored text: String) {
        guard let name = try? ChannelName(text, grammar: .cometd, maximumBytes: .max) else { return nil }
        self = name
    }

    /// The name up to its last slash, that included.
    var parent: String { String(text[...(text.lastIndex(of: "/") ?? text.startIndex)]) }
}

extension ChannelPattern {
    /// A pattern that was valid when it was stored, under either grammar.
    init?(stored text: String) {
        guard let pattern = try? ChannelPattern(text, grammar: .cometd, maximumBytes: .max) else { return nil }
        self = pattern
    }
}

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
        case .subscribe(let ticket, let clientID, let patterns, let wall):
            try subscribe(clientID: clientID, patterns: patterns, wall: wall)
            return .retained(ticket, try retained(matching: patterns, wall: wall))
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
            return .retained(ticket, try retained(matching: [ChannelPattern(channel)], wall: wall))
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
        let replaced = try Int64.fetchOne(
            database.cachedStatement(sql: "SELECT sequence FROM retained WHERE channel = ?"), arguments: [channel])
        switch draft.retention {
        case .replace:
            try execute(
                "INSERT INTO publication (sequence, channel, data, published_at, expires_at) VALUES (?, ?, ?, ?, ?)",
                [Int64(lastSequence), channel, Data(draft.data), draft.publishedAt, draft.expiresAt])
            try execute(
                """
                INSERT INTO retained (channel, parent, sequence) VALUES (?, ?, ?)
                ON CONFLICT (channel) DO UPDATE SET sequence = excluded.sequence
                """, [channel, draft.channel.parent, Int64(lastSequence)])
        case .clear:
            try execute("DELETE FROM retained WHERE channel = ?", [channel])
        }
        if let replaced { try execute("DELETE FROM publication WHERE sequence = ?", [replaced]) }
        return lastSequence
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

    /// The retained messages that any of the patterns matches, each once, in order of sequence numbers.
    private func retained(matching patterns: [ChannelPattern], wall: Int64) throws -> [StoredPublication] {
        var found: [UInt64: StoredPublication] = [:]
        for pattern in patterns {
            let (condition, arguments) = Self.condition(for: pattern)
            let rows = try Row.fetchCursor(
                database.cachedStatement(
                    sql: """
                        SELECT publication.sequence, publication.channel, data
                        FROM retained JOIN publication USING (sequence)
                        WHERE \(condition) AND (expires_at IS NULL OR expires_at > ?)
                        """), arguments: arguments + [wall])
            while let row = try rows.next() {
                let sequence = UInt64(row[0] as Int64)
                guard let channel = ChannelName(stored: row[1]) else { continue }
                found[sequence] = StoredPublication(sequence: sequence, channel: channel, data: [UInt8](row[2] as Data))
            }
        }
        return found.values.sorted { $0.sequence < $1.sequence }
    }

    /// The rows of `retained` that a pattern matches, without reading others.
    private static func condition(for pattern: ChannelPattern) -> (String, StatementArguments) {
        let prefix = pattern.prefix
        switch pattern.kind {
        case .exact: return ("retained.channel = ?", [prefix])
        case .children: return ("retained.parent = ?", [prefix])
        // "0" is the character behind "/": the range holds every name that begins with the prefix.
        case .descendants: return ("retained.channel > ? AND retained.channel < ?", [prefix, prefix.dropLast() + "0"])
        }
    }

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

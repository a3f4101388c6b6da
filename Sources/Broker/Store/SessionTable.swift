import BrokerCore
import GRDB

/// Sessions, their subscriptions and cursors, as they are stored.
enum SessionTable {
    /// Adds subscriptions, and the session if it is new.
    static func subscribe(
        _ session: StoredState.Session, to patterns: [ChannelPattern], since: UInt64, wall: Int64,
        in database: Database
    ) throws {
        try database.cachedStatement(
            sql: """
                INSERT INTO session (client_id, created_at, cursor, acknowledges) VALUES (?, ?, ?, ?)
                ON CONFLICT (client_id) DO NOTHING
                """
        ).execute(arguments: [session.clientID, wall, Int64(clamping: session.cursor), session.acknowledges])
        for (pattern, since) in Array(session.subscriptions) + patterns.map({ ($0, since) }) {
            try database.cachedStatement(
                sql: """
                    INSERT OR IGNORE INTO subscription (session_id, pattern, since)
                    SELECT id, ?, ? FROM session WHERE client_id = ?
                    """
            ).execute(arguments: [pattern.text, Int64(since), session.clientID])
        }
    }

    /// Removes subscriptions of a session.
    static func unsubscribe(_ clientID: String, from patterns: [ChannelPattern], in database: Database) throws {
        for pattern in patterns {
            try database.cachedStatement(
                sql: """
                    DELETE FROM subscription
                    WHERE session_id = (SELECT id FROM session WHERE client_id = ?) AND pattern = ?
                    """
            ).execute(arguments: [clientID, pattern.text])
        }
    }

    /// Writes a session that cannot exist, and forgets it.
    static func probe(_ database: Database) throws {
        try database.cachedStatement(
            sql: "INSERT INTO session (client_id, created_at, cursor, acknowledges) VALUES ('', 0, 0, 0)"
        ).execute()
        try end("", in: database)
    }

    /// Forgets a session and its subscriptions.
    static func end(_ clientID: String, in database: Database) throws {
        try database.cachedStatement(sql: "DELETE FROM session WHERE client_id = ?").execute(arguments: [clientID])
    }

    /// Writes down how far sessions have come.
    static func move(_ cursors: [(clientID: String, cursor: UInt64)], in database: Database) throws {
        let statement = try database.cachedStatement(sql: "UPDATE session SET cursor = ? WHERE client_id = ?")
        for (clientID, cursor) in cursors {
            try statement.execute(arguments: [Int64(clamping: cursor), clientID])
        }
    }

    /// All sessions, the oldest first.
    static func load(from database: Database) throws -> [StoredState.Session] {
        var sessions: [StoredState.Session] = []
        let rows = try Row.fetchCursor(
            database,
            sql: """
                SELECT client_id, cursor, acknowledges, pattern, since
                FROM session LEFT JOIN subscription ON session_id = session.id ORDER BY session.id
                """)
        while let row = try rows.next() {
            let clientID: String = row[0]
            if sessions.last?.clientID != clientID {
                sessions.append(
                    .init(clientID: clientID, cursor: UInt64(row[1] as Int64), acknowledges: row[2]))
            }
            if let text = row[3] as String?, let pattern = ChannelPattern(stored: text) {
                sessions[sessions.count - 1].subscriptions[pattern] = UInt64(row[4] as Int64)
            }
        }
        return sessions
    }
}

/// The log as it was left by the last run.
enum StoredLog {
    /// Of publications that may be sent again, so many are remembered.
    private static let recentCount = 65_536

    /// What outlived the last run; a new database gets its epoch here.
    static func load(
        from database: Database, makeEpoch: () -> String, publishedAfter: Int64
    ) throws -> StoredState {
        try database.execute(
            sql: "INSERT OR IGNORE INTO log (id, epoch, last_sequence) VALUES (1, ?, 0)", arguments: [makeEpoch()])
        guard let row = try Row.fetchOne(database, sql: "SELECT epoch, last_sequence FROM log") else {
            preconditionFailure("Cannot read the log's row when it was just written")
        }
        return StoredState(
            epoch: row[0], lastSequence: UInt64(row[1] as Int64), sessions: try SessionTable.load(from: database),
            recent: try recent(in: database, publishedAfter: publishedAfter))
    }

    /// The last publications that may be sent again: from the end of the log backwards, as far as they are young enough.
    private static func recent(in database: Database, publishedAfter: Int64) throws -> [StoredState.Recent] {
        let rows = try Row.fetchCursor(
            database,
            sql: """
                SELECT sequence, channel, published_at, client_id, fingerprint, idempotency_key, receipt
                FROM publication ORDER BY sequence DESC LIMIT ?
                """, arguments: [recentCount])
        var recent: [StoredState.Recent] = []
        while let row = try rows.next() {
            let publishedAt: Int64 = row[2]
            if publishedAt < publishedAfter { break }
            guard let channel = ChannelName(stored: row[1]), let origin = origin(in: row) else { continue }
            let sequence = UInt64(row[0] as Int64)
            recent.append(.init(origin: origin, channel: channel, sequence: sequence, publishedAt: publishedAt))
        }
        return recent.reversed()
    }

    private static func origin(in row: Row) -> PublicationOrigin? {
        if let clientID = row[3] as String?, let fingerprint = row[4] as Int64? {
            return .session(clientID: clientID, fingerprint: UInt64(bitPattern: fingerprint))
        }
        if let key = row[5] as String?, let receipt = row[6] as String? {
            return .request(key: key, receipt: receipt)
        }
        return nil
    }
}

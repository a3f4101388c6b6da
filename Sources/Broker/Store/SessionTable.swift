import BrokerCore
import GRDB

/// Sessions, their subscriptions and cursors, as they are stored.
enum SessionTable {
    /// Adds subscriptions, and the session if it is new; `hasPast` says whether they get something of the past.
    static func subscribe(
        _ session: StoredState.Session, to items: [SubscriptionItem], since: UInt64, hasPast: Bool, wall: Int64,
        in database: Database
    ) throws {
        try database.cachedStatement(
            sql: """
                INSERT INTO session (client_id, created_at, cursor, acknowledges) VALUES (?, ?, ?, ?)
                ON CONFLICT (client_id) DO NOTHING
                """
        ).execute(arguments: [session.clientID, wall, Int64(clamping: session.cursor), session.acknowledges])
        let patterns = items.map { (key: $0.pattern, value: since) }
        for (pattern, since) in Array(session.subscriptions) + patterns {
            try database.cachedStatement(
                sql: """
                    INSERT OR IGNORE INTO subscription (session_id, pattern, since)
                    SELECT id, ?, ? FROM session WHERE client_id = ?
                    """
            ).execute(arguments: [pattern.text, Int64(since), session.clientID])
        }
        for (pattern, replay) in session.replays { try add(replay, to: pattern, of: session.clientID, in: database) }
        guard hasPast else { return }
        for item in items {
            guard let replay = PendingReplay(of: item, through: since, part: session.part) else { continue }
            try add(replay, to: item.pattern, of: session.clientID, in: database)
        }
    }

    /// Writes down what a subscription is to get of the past, together with what it has not got yet.
    private static func add(
        _ replay: PendingReplay, to pattern: ChannelPattern, of clientID: String, in database: Database
    ) throws {
        let earlier = try Row.fetchOne(
            database.cachedStatement(
                sql: """
                    SELECT replay, replay_after, replay_through, replay_part FROM subscription
                    WHERE session_id = (SELECT id FROM session WHERE client_id = ?) AND pattern = ?
                    """),
            arguments: [clientID, pattern.text])
        let replay = earlier.flatMap { PendingReplay(row: $0, from: 0) }.map(replay.joined) ?? replay
        try database.cachedStatement(
            sql: """
                UPDATE subscription SET replay = ?, replay_after = ?, replay_through = ?, replay_part = ?
                WHERE session_id = (SELECT id FROM session WHERE client_id = ?) AND pattern = ?
                """
        ).execute(arguments: [
            replay.point?.number, Int64(clamping: replay.position), Int64(clamping: replay.through), replay.part,
            clientID, pattern.text,
        ])
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
    static func move(_ cursors: [SessionProgress], in database: Database) throws {
        let statement = try database.cachedStatement(sql: "UPDATE session SET cursor = ? WHERE client_id = ?")
        for progress in cursors {
            try statement.execute(arguments: [Int64(clamping: progress.cursor), progress.clientID])
            for part in progress.replayed { try move(part, of: progress.clientID, in: database) }
        }
    }

    /// Writes down how far a replay has come, unless the subscription asks for more: then what has arrived is not the
    /// beginning of what is asked for, or something else.
    private static func move(_ part: SessionProgress.Replayed, of clientID: String, in database: Database) throws {
        let through = Int64(clamping: part.through)
        try database.cachedStatement(
            sql: """
                UPDATE subscription SET replay_after = max(replay_after, ?),
                    replay_through = CASE WHEN replay_through > ? THEN replay_through END
                WHERE session_id = (SELECT id FROM session WHERE client_id = ?) AND pattern = ? AND replay_after >= ?
                    AND (replay IS NULL OR ifnull(replay_part = ?, TRUE))
                """
        ).execute(arguments: [
            through, through, clientID, part.pattern.text, Int64(clamping: part.after), part.retainedPart,
        ])
    }

    /// All sessions, the oldest first.
    static func load(from database: Database) throws -> [StoredState.Session] {
        var sessions: [StoredState.Session] = []
        let rows = try Row.fetchCursor(
            database,
            sql: """
                SELECT client_id, cursor, acknowledges, pattern, since,
                    replay, replay_after, replay_through, replay_part
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
                sessions[sessions.count - 1].replays[pattern] = PendingReplay(row: row, from: 5)
            }
        }
        return sessions
    }
}

extension PendingReplay {
    /// From the columns `replay`, `replay_after`, `replay_through`, `replay_part`; nil if nothing is pending.
    fileprivate init?(row: Row, from column: Int) {
        guard let through = row[column + 2] as Int64? else { return nil }
        self.init(
            point: (row[column] as Int64?).flatMap(ReplayPoint.init), through: UInt64(through),
            position: UInt64(row[column + 1] as Int64? ?? 0), part: row[column + 3] as Int64? ?? 0)
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
        let (name, fingerprint) = (row[3] as String?, (row[4] as Int64?).map { UInt64(bitPattern: $0) })
        if let key = row[5] as String?, let receipt = row[6] as String? {
            return .request(key: key, subject: name, fingerprint: fingerprint, receipt: receipt)
        }
        if let name, let fingerprint { return .session(clientID: name, fingerprint: fingerprint) }
        return nil
    }
}

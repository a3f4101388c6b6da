import GRDBSQLite

/// A publication appended by SQLite alone, with one prepared statement: what a store cannot do without.
struct RawSQLite {
    private var database: OpaquePointer?
    private var statement: OpaquePointer?
    private let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    init(path: String, synchronous: String) {
        precondition(sqlite3_open(path, &database) == SQLITE_OK)
        for sql in [
            "PRAGMA journal_mode = WAL", "PRAGMA synchronous = \(synchronous)", "PRAGMA wal_autocheckpoint = 2000",
            "PRAGMA cache_size = -16384",
            """
            CREATE TABLE publication (sequence INTEGER PRIMARY KEY, channel TEXT NOT NULL, data BLOB NOT NULL,
                published_at INTEGER NOT NULL, history_until INTEGER)
            """,
            "CREATE INDEX by_channel ON publication (channel, sequence, history_until)",
        ] { precondition(sqlite3_exec(database, sql, nil, nil, nil) == SQLITE_OK) }
        let insert = "INSERT INTO publication VALUES (?, ?, ?, ?, ?)"
        precondition(sqlite3_prepare_v2(database, insert, -1, &statement, nil) == SQLITE_OK)
    }

    /// Appends rows in transactions of `group`.
    func append(count: Int, group: Int, channels: [String], data: [UInt8]) {
        for number in 0..<count {
            if number % group == 0 { sqlite3_exec(database, "BEGIN IMMEDIATE", nil, nil, nil) }
            sqlite3_bind_int64(statement, 1, Int64(number + 1))
            sqlite3_bind_text(statement, 2, channels[number % channels.count], -1, transient)
            _ = data.withUnsafeBytes { sqlite3_bind_blob(statement, 3, $0.baseAddress, Int32($0.count), transient) }
            sqlite3_bind_int64(statement, 4, 0)
            sqlite3_bind_int64(statement, 5, .max)
            precondition(sqlite3_step(statement) == SQLITE_DONE)
            sqlite3_reset(statement)
            if (number + 1) % group == 0 { sqlite3_exec(database, "COMMIT", nil, nil, nil) }
        }
    }

    func close() {
        sqlite3_finalize(statement)
        sqlite3_close(database)
    }
}

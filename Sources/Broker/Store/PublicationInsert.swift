import BrokerCore
import GRDB
import GRDBSQLite

/// The statement that appends a publication to the log: prepared once, its arguments bound without a copy.
///
/// It is the one statement that runs for every stored publication; with GRDB's own arguments it takes twice the time.
struct PublicationInsert {
    private let statement: Statement

    init(_ database: Database) throws {
        statement = try database.makeStatement(
            sql: """
                INSERT INTO publication (sequence, channel, data, published_at, expires_at, history_until, is_binary,
                    client_id, fingerprint, idempotency_key, receipt)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
    }

    /// Appends a publication under its number.
    func run(_ draft: PublicationDraft, sequence: UInt64, on database: Database) throws {
        let statement = statement.sqliteStatement
        var clientID: String?
        var fingerprint: Int64?
        var key: String?
        var receipt: String?
        switch draft.origin {
        case .session(let id, let hash): (clientID, fingerprint) = (id, Int64(bitPattern: hash))
        // The same two columns say whose a key is, and of what.
        case .request(let requestKey, let subject, let hash, let name):
            (key, clientID, receipt) = (requestKey, subject, name)
            fingerprint = hash.map { Int64(bitPattern: $0) }
        case nil: break
        }
        sqlite3_bind_int64(statement, 1, Int64(sequence))
        sqlite3_bind_int64(statement, 4, draft.publishedAt)
        bind(draft.expiresAt, at: 5)
        bind(draft.history.map { min($0.until, draft.expiresAt ?? .max) }, at: 6)
        sqlite3_bind_int(statement, 7, draft.isBinary ? 1 : 0)
        bind(fingerprint, at: 9)
        let status = Self.withBytes(draft.channel.text) { channel in
            Self.withBytes(clientID) { clientID in
                Self.withBytes(key) { key in
                    Self.withBytes(receipt) { receipt in
                        draft.data.withUnsafeBytes { data in
                            bind(channel, at: 2)
                            sqlite3_bind_blob64(statement, 3, data.baseAddress, UInt64(data.count), nil)
                            bind(clientID, at: 8)
                            bind(key, at: 10)
                            bind(receipt, at: 11)
                            // What is bound is read in here only, so nothing is copied.
                            defer { sqlite3_reset(statement) }
                            return sqlite3_step(statement)
                        }
                    }
                }
            }
        }
        guard status == SQLITE_DONE else {
            let connection = database.sqliteConnection
            throw DatabaseError(
                resultCode: ResultCode(rawValue: sqlite3_extended_errcode(connection)),
                message: String(cString: sqlite3_errmsg(connection)))
        }
    }

    private func bind(_ value: Int64?, at index: Int32) {
        if let value {
            sqlite3_bind_int64(statement.sqliteStatement, index, value)
        } else {
            sqlite3_bind_null(statement.sqliteStatement, index)
        }
    }

    private func bind(_ text: UnsafeRawBufferPointer?, at index: Int32) {
        if let text {
            let bytes = text.baseAddress?.assumingMemoryBound(to: CChar.self)
            sqlite3_bind_text64(
                statement.sqliteStatement, index, bytes, UInt64(text.count), nil, UInt8(SQLITE_UTF8))
        } else {
            sqlite3_bind_null(statement.sqliteStatement, index)
        }
    }

    /// Lends the bytes of a text; none for none.
    private static func withBytes(_ text: String?, _ body: (UnsafeRawBufferPointer?) -> Int32) -> Int32 {
        guard let text else { return body(nil) }
        return text.utf8.span.bytes.withUnsafeBytes { body($0) }
    }
}

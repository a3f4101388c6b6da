import BrokerCore
import GRDB
import GRDBSQLite

/// The statement that reads one publication of the log by its number.
///
/// It runs for every publication of a backlog; with GRDB's rows it takes twice the time.
final class PublicationFetch {
    private let statement: Statement
    private let database: Database
    /// The last one's channel: in a history the next one's is the same.
    private var channel: (text: [UInt8], name: ChannelName)?

    init(_ database: Database) throws {
        self.database = database
        statement = try database.cachedStatement(
            sql: "SELECT channel, data, is_binary FROM publication WHERE sequence = ?")
    }

    /// The publication with this sequence number, if the log still has it.
    func callAsFunction(_ sequence: UInt64) throws -> StoredPublication? {
        let row = statement.sqliteStatement
        defer { sqlite3_reset(row) }
        sqlite3_bind_int64(row, 1, Int64(clamping: sequence))
        switch sqlite3_step(row) {
        case SQLITE_ROW: break
        case SQLITE_DONE: return nil
        default:
            let connection = database.sqliteConnection
            throw DatabaseError(
                resultCode: ResultCode(rawValue: sqlite3_extended_errcode(connection)),
                message: String(cString: sqlite3_errmsg(connection)))
        }
        guard let name = name(in: Self.bytes(of: row, at: 0)) else { return nil }
        return StoredPublication(
            sequence: sequence, channel: name, data: Array(Self.bytes(of: row, at: 1)),
            isBinary: sqlite3_column_int(row, 2) != 0)
    }

    private func name(in bytes: UnsafeRawBufferPointer) -> ChannelName? {
        if let channel, channel.text.elementsEqual(bytes) { return channel.name }
        guard let name = ChannelName(stored: String(decoding: bytes, as: UTF8.self)) else { return nil }
        channel = (Array(bytes), name)
        return name
    }

    /// A column's bytes, until the next step.
    private static func bytes(of row: SQLiteStatement, at column: Int32) -> UnsafeRawBufferPointer {
        let start = sqlite3_column_blob(row, column)
        return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(row, column)))
    }
}

import GRDB
import GRDBSQLite

/// Brings SQLite's log (WAL) into the database when it has grown long; the only one who does.
///
/// While a reader looks at an old state the log cannot begin anew, and grows; then it is tried again when it has grown
/// by as much.
struct Checkpointer {
    private let pages: Int32
    private let length = LogLength()
    private var dueLength: Int32

    init(pages: Int32) {
        self.pages = pages
        dueLength = pages
    }

    /// Hears of each commit how long the log is, instead of SQLite's automatic checkpoints.
    func watch(_ database: Database) {
        sqlite3_wal_hook(
            database.sqliteConnection,
            { context, _, _, pages in
                if let context { Unmanaged<LogLength>.fromOpaque(context).takeUnretainedValue().pages = pages }
                return SQLITE_OK
            }, Unmanaged.passUnretained(length).toOpaque())
    }

    /// Checkpoints if it is time to.
    mutating func run(_ database: Database, _ metrics: StoreMetrics) throws {
        // A log that has begun anew is short again.
        if length.pages < dueLength - pages { dueLength = pages }
        guard length.pages >= dueLength else { return }
        let start = ContinuousClock.now
        let result = try database.checkpoint(.passive)
        metrics.recordCheckpoint(duration: start.duration(to: .now))
        let isComplete = result.checkpointedFrameCount == result.walFrameCount
        dueLength = isComplete ? pages : length.pages + pages
        if isComplete { length.pages = 0 }
    }
}

/// How many pages SQLite's log has; written by the hook, on the thread that commits.
private final class LogLength {
    var pages: Int32 = 0
}

import BrokerCore
import GRDB

/// Deletes publications that nothing needs any more, and gives their space back, in steps too small to hold anybody up.
///
/// A publication is needed while it is its channel's retained message and its time is not up, stands in its channel's
/// history, or may be sent again by its publisher. A pass goes through the log from its beginning as far as publications
/// are old enough. One begins when a quarter of the log is expected to be garbage, so that a publication costs the looks
/// at five at most.
struct LogCleaner {
    /// What one step looks at, and how many pages it gives back.
    private static let rowCount = 256
    private static let pageCount = 64
    /// Less garbage than this is left where it is.
    private static let leastGarbage = 10_000
    /// What has grown too old is not counted: a pass looks for it so often (ms).
    private static let period: Int64 = 600_000

    /// For how long a publication may be sent again (ms).
    private let window: Int64
    /// The last row that the pass has seen; nil between two passes.
    private var position: Int64?
    /// Rows that the last pass, and this one until now, have left.
    private var keptCount = 0
    private var passCount = 0
    private var lastPass: Int64?
    private var hasFreePages = false
    /// Whether the last step has changed how long histories are.
    private(set) var hasChangedHistories = false

    init(window: Int64) {
        self.window = window
    }

    /// Whether there is something to do.
    mutating func isDue(garbage: inout Int, wall: Int64) -> Bool {
        if position != nil || hasFreePages { return true }
        let isTime = lastPass.map { wall - $0 >= Self.period || wall < $0 } ?? true
        guard isTime || garbage >= max(Self.leastGarbage, keptCount / 4) else { return false }
        garbage = 0
        lastPass = wall
        position = 0
        passCount = 0
        return true
    }

    /// Looks at the next few rows, in a transaction of its own.
    mutating func step(_ database: Database, wall: Int64) throws {
        hasChangedHistories = false
        guard let start = position else { return try giveBack(database) }
        var seen: Int64?
        try database.inTransaction(.immediate) {
            seen = try clean(database, after: start, wall: wall)
            return .commit
        }
        position = seen
        guard seen == nil else { return }
        keptCount = passCount
        hasFreePages = true
    }

    /// The last row that was looked at; nil at the end of the pass.
    private mutating func clean(_ database: Database, after start: Int64, wall: Int64) throws -> Int64? {
        let rows = try Row.fetchAll(
            database.cachedStatement(
                sql: """
                    SELECT publication.sequence, published_at > ?,
                        (history_until > ? AND publication.sequence > ifnull(trimmed, 0)) IS TRUE
                        OR retained.sequence IS publication.sequence AND ifnull(expires_at > ?, TRUE),
                        history_until IS NOT NULL AND publication.sequence > ifnull(trimmed, 0), publication.channel,
                        retained.sequence IS publication.sequence, ifnull(expires_at > ?, TRUE)
                    FROM publication
                    LEFT JOIN history ON history.channel = publication.channel
                    LEFT JOIN retained ON retained.channel = publication.channel
                    WHERE publication.sequence > ? ORDER BY publication.sequence LIMIT ?
                    """), arguments: [wall - window, wall, wall, wall, start, Self.rowCount])
        let release = try database.cachedStatement(sql: "DELETE FROM retained WHERE sequence = ?")
        let delete = try database.cachedStatement(sql: "DELETE FROM publication WHERE sequence = ?")
        var last: Int64?
        for row in rows {
            let (sequence, isRecent, isNeeded, isCounted): (Int64, Bool, Bool, Bool) = (row[0], row[1], row[2], row[3])
            // The log is in order of time, unless the clock was set.
            if isRecent { return nil }
            last = sequence
            if isNeeded {
                passCount += 1
            } else {
                if row[5] { try release.execute(arguments: [sequence]) }
                try delete.execute(arguments: [sequence])
                // One that has expired is missed by nobody.
                let isMissed: Bool = row[6]
                if isCounted { try countDown(row[4], aged: isMissed ? sequence : 0, in: database) }
            }
        }
        return last
    }

    /// A publication has left a history because its time was up; `aged` if it is missed.
    private mutating func countDown(_ channel: String, aged: Int64, in database: Database) throws {
        hasChangedHistories = true
        try database.cachedStatement(
            sql: "UPDATE history SET publication_count = publication_count - 1, aged = max(aged, ?) WHERE channel = ?"
        ).execute(arguments: [aged, channel])
    }

    /// Gives pages back to the file system; they leave the file with the next checkpoint.
    private mutating func giveBack(_ database: Database) throws {
        let free = try Int.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0
        // Some are kept for what comes next.
        hasFreePages = free > 16 * Self.pageCount
        guard hasFreePages else { return }
        // A step of this statement gives back one page.
        let rows = try Row.fetchCursor(database, sql: "PRAGMA incremental_vacuum(\(Self.pageCount))")
        while try rows.next() != nil {}
    }
}

import BrokerCore
import GRDB

/// What a database holds, and whether it is sound.
package struct StoreReport: Sendable, Equatable, CustomStringConvertible {
    package let version: Int
    package let epoch: String
    package let lastSequence: UInt64
    package let publicationCount: Int
    package let retainedCount: Int
    package let historyCount: Int
    package let sessionCount: Int
    package let subscriptionCount: Int
    /// What SQLite's integrity check and the broker's own rules find wrong; empty when all is well.
    package let problems: [String]

    init(of database: Database) throws {
        func count(_ table: String) throws -> Int {
            try Int.fetchOne(database, sql: "SELECT count(*) FROM \(table)") ?? 0
        }
        version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        let integrity = try String.fetchAll(database, sql: "PRAGMA integrity_check(20)")
        var problems = integrity.filter { $0 != "ok" }
        problems += try Row.fetchAll(database, sql: "PRAGMA foreign_key_check").map { "foreign key: \($0)" }
        let log = try Row.fetchOne(database, sql: "SELECT epoch, last_sequence FROM log")
        epoch = log?[0] ?? ""
        lastSequence = UInt64((log?[1] as Int64?) ?? 0)
        if log == nil { problems.append("the log has no name") }
        publicationCount = try count("publication")
        retainedCount = try count("retained")
        historyCount = try count("history")
        sessionCount = try count("session")
        subscriptionCount = try count("subscription")
        problems += try Self.brokenRules(in: database)
        self.problems = problems
    }

    /// What must hold between the tables, beyond what SQLite checks.
    private static func brokenRules(in database: Database) throws -> [String] {
        let rules = [
            (
                "publications are newer than the log's last number",
                "SELECT count(*) FROM publication WHERE sequence > (SELECT last_sequence FROM log)"
            ),
            (
                "retained messages are not in the log",
                "SELECT count(*) FROM retained WHERE sequence NOT IN (SELECT sequence FROM publication)"
            ),
            (
                "histories are of another length than they say",
                """
                SELECT count(*) FROM history WHERE publication_count != (
                    SELECT count(*) FROM publication WHERE publication.channel = history.channel
                    AND history_until IS NOT NULL AND sequence > trimmed)
                """
            ),
            (
                "cursors are beyond the log",
                "SELECT count(*) FROM session WHERE cursor > (SELECT last_sequence FROM log)"
            ),
        ]
        return try rules.compactMap { rule, query in
            let count = try Int.fetchOne(database, sql: query) ?? 0
            return count > 0 ? "\(count) \(rule)" : nil
        }
    }

    package var description: String {
        var lines = [
            "schema version \(version)", "epoch \(epoch)", "last sequence number \(lastSequence)",
            "publications \(publicationCount)", "channels with a history \(historyCount)",
            "retained messages \(retainedCount)", "sessions \(sessionCount)", "subscriptions \(subscriptionCount)",
        ]
        lines += problems.isEmpty ? ["sound"] : problems.map { "DAMAGED: \($0)" }
        return lines.joined(separator: "\n")
    }
}

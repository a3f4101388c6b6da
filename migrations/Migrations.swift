/// The versions of the database's schema, in order.
package struct Migration: Sendable {
    /// The version that the database has after it, from 1 on.
    package let version: Int
    /// The name of its file.
    package let name: String
    /// What it does, a script of SQL.
    package let sql: String

    /// Every migration there is.
    package static let all = [
        Migration(version: 1, name: "0001_initial.sql", sql: text(PackageResources._001_initial_sql)),
        Migration(version: 2, name: "0002_history.sql", sql: text(PackageResources._002_history_sql)),
        Migration(version: 3, name: "0003_log.sql", sql: text(PackageResources._003_log_sql)),
        Migration(version: 4, name: "0004_replay.sql", sql: text(PackageResources._004_replay_sql)),
        Migration(version: 5, name: "0005_cleaning.sql", sql: text(PackageResources._005_cleaning_sql)),
        Migration(version: 6, name: "0006_aging.sql", sql: text(PackageResources._006_aging_sql)),
        Migration(version: 7, name: "0007_reserved.sql", sql: text(PackageResources._007_reserved_sql)),
    ]

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}

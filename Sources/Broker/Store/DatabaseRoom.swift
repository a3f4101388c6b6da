import BrokerCore
import GRDB

/// How much more the database may take. It is asked only when half of what it said last may be used up.
struct DatabaseRoom {
    let maximumBytes: Int
    private var unaskedBytes = 0
    /// What a publication takes beside its data, about: its channel in the log and in four indexes.
    private static let overhead = 512

    init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    /// Whether a publication may be kept.
    mutating func take(_ draft: PublicationDraft, in database: Database) throws -> Bool {
        let weight = draft.data.count + Self.overhead
        if unaskedBytes < weight {
            let left = try maximumBytes - usedBytes(of: database)
            guard left >= weight else { return false }
            unaskedBytes = max(weight, left / 2)
        }
        unaskedBytes -= weight
        return true
    }

    private func usedBytes(of database: Database) throws -> Int {
        func number(_ pragma: String) throws -> Int {
            try Int.fetchOne(database.cachedStatement(sql: "PRAGMA \(pragma)")) ?? 0
        }
        return try (number("page_count") - number("freelist_count")) * number("page_size")
    }
}

import BrokerCore
import GRDB

/// Appends publications to the log, and keeps what is derived from it: retained messages and how long histories are.
///
/// What it knows of channels stays from one transaction to the next; after one that was rolled back it must `forget`.
struct LogWriter {
    /// A channel with a history, as it is after the current transaction.
    private final class History {
        let channel: ChannelName
        var count: Int
        var trimmed: UInt64
        /// The bound that the last publication set; none if there was none in this transaction.
        var limit: Int?

        init(_ channel: ChannelName, count: Int, trimmed: UInt64) {
            self.channel = channel
            self.count = count
            self.trimmed = trimmed
        }
    }
    /// So many channels are remembered.
    private static let historyCapacity = 65_536

    /// So many numbers more than are needed are reserved at a time.
    private static let reserve: UInt64 = 65_536

    private(set) var lastSequence: UInt64 = 0
    private var writtenSequence: UInt64 = 0
    /// Up to where numbers may be given.
    private var reservedSequence: UInt64 = 0
    /// What was given before this run.
    private var firstSequence: UInt64 = 0
    private var histories: [ChannelName: History] = [:]
    private var touched: [History] = []
    private var insert: PublicationInsert?
    /// Publications that nothing needed any more, since it was last set to 0.
    var garbageCount = 0

    /// Starts behind what earlier runs may have given: behind one that was not ended publications may have been, and be lost.
    mutating func begin(_ database: Database) throws {
        try forget(database)
        firstSequence = max(lastSequence, reservedSequence)
        lastSequence = firstSequence
    }

    /// Starts from what the database says.
    mutating func forget(_ database: Database) throws {
        histories.removeAll()
        touched.removeAll()
        let row = try Row.fetchOne(database.cachedStatement(sql: "SELECT last_sequence, reserved FROM log"))
        writtenSequence = UInt64(row?[0] as Int64? ?? 0)
        lastSequence = max(writtenSequence, firstSequence)
        reservedSequence = UInt64(row?[1] as Int64? ?? 0)
    }

    /// Up to where a transaction of so many operations has to reserve numbers; nil if as many are. It must be synced then:
    /// clients know a publication by its number, and what was not synced is given another meaning when the power is lost.
    func reserve(for count: Int) -> UInt64? {
        let last = lastSequence + UInt64(count)
        return last > reservedSequence ? last + Self.reserve : nil
    }

    /// Writes down, in a transaction, what is reserved.
    func writeReserve(_ sequence: UInt64, _ database: Database) throws {
        try database.cachedStatement(sql: "UPDATE log SET reserved = ?").execute(arguments: [Int64(sequence)])
    }

    /// The transaction is committed.
    mutating func noteReserve(_ sequence: UInt64) { reservedSequence = sequence }

    /// Nothing is given any more: the next run goes on from the last number, or where this one would have begun.
    func release(_ database: Database) throws {
        let first = Int64(firstSequence)
        try database.execute(
            sql: """
                UPDATE log SET last_sequence = max(last_sequence, ?), reserved = max(last_sequence, ?)
                WHERE reserved > last_sequence
                """, arguments: [first, first])
    }

    /// Gives a publication that is not written its number.
    mutating func skip() -> UInt64 {
        lastSequence += 1
        return lastSequence
    }

    /// Appends a publication; its sequence number.
    mutating func append(_ draft: PublicationDraft, to database: Database) throws -> UInt64 {
        lastSequence += 1
        if draft.isKept || draft.origin != nil {
            if insert == nil { insert = try PublicationInsert(database) }
            try insert?.run(draft, sequence: lastSequence, on: database)
        }
        switch draft.retention {
        case .replace:
            try database.cachedStatement(
                sql: """
                    INSERT INTO retained (channel, parent, sequence) VALUES (?, ?, ?)
                    ON CONFLICT (channel) DO UPDATE SET sequence = excluded.sequence
                    """
            ).execute(arguments: [draft.channel.text, draft.channel.parent, Int64(lastSequence)])
            garbageCount += 1
        case .clear: try clearRetained(of: draft.channel, in: database)
        case nil: break
        }
        if let history = draft.history { try count(draft.channel, limit: history.count, in: database) }
        return lastSequence
    }

    /// Lets go of the connection.
    mutating func close() {
        insert = nil
    }

    /// Forgets a channel's retained message.
    mutating func clearRetained(of channel: ChannelName, in database: Database) throws {
        try database.cachedStatement(sql: "DELETE FROM retained WHERE channel = ?").execute(arguments: [channel.text])
        garbageCount += 1
    }

    /// One publication more in a channel's history.
    private mutating func count(_ channel: ChannelName, limit: Int, in database: Database) throws {
        let history: History
        if let known = histories[channel] {
            history = known
        } else {
            history = try Self.load(channel, from: database)
            histories[channel] = history
        }
        if history.limit == nil { touched.append(history) }
        history.count += 1
        history.limit = limit
    }

    private static func load(_ channel: ChannelName, from database: Database) throws -> History {
        let row = try Row.fetchOne(
            database.cachedStatement(sql: "SELECT publication_count, trimmed FROM history WHERE channel = ?"),
            arguments: [channel.text])
        guard let row else { return History(channel, count: 0, trimmed: 0) }
        return History(channel, count: row[0], trimmed: UInt64(row[1] as Int64))
    }

    /// Ends a transaction: trims what has grown too long, writes down how long histories and the log are.
    mutating func finish(_ database: Database) throws {
        for history in touched {
            guard let limit = history.limit else { continue }
            let channel = history.channel
            if history.count > limit {
                let surplus = history.count - limit
                history.trimmed = try Self.boundary(of: channel, surplus: surplus, after: history.trimmed, database)
                history.count = limit
                garbageCount += surplus
            }
            history.limit = nil
            try database.cachedStatement(
                sql: """
                    INSERT INTO history (channel, parent, publication_count, trimmed) VALUES (?, ?, ?, ?)
                    ON CONFLICT (channel) DO UPDATE
                    SET publication_count = excluded.publication_count, trimmed = excluded.trimmed
                    """
            ).execute(arguments: [channel.text, channel.parent, history.count, Int64(history.trimmed)])
        }
        touched.removeAll(keepingCapacity: true)
        if histories.count > Self.historyCapacity { histories.removeAll() }
        guard lastSequence != writtenSequence else { return }
        try database.cachedStatement(sql: "UPDATE log SET last_sequence = ?").execute(arguments: [Int64(lastSequence)])
        writtenSequence = lastSequence
    }

    /// The last of the `surplus` oldest publications in a history.
    private static func boundary(
        of channel: ChannelName, surplus: Int, after trimmed: UInt64, _ database: Database
    ) throws -> UInt64 {
        let sequence = try Int64.fetchOne(
            database.cachedStatement(
                sql: """
                    SELECT sequence FROM publication
                    WHERE channel = ? AND sequence > ? AND history_until IS NOT NULL
                    ORDER BY sequence LIMIT 1 OFFSET ?
                    """), arguments: [channel.text, Int64(trimmed), surplus - 1])
        return sequence.map { UInt64($0) } ?? trimmed
    }
}

extension ChannelName {
    /// A name that was valid when it was stored, under either grammar.
    init?(stored text: String) {
        guard let name = try? ChannelName(text, grammar: .cometd, maximumBytes: .max) else { return nil }
        self = name
    }

    /// The name up to its last slash, that included.
    var parent: String { String(text[...(text.lastIndex(of: "/") ?? text.startIndex)]) }
}

extension ChannelPattern {
    /// A pattern that was valid when it was stored, under either grammar.
    init?(stored text: String) {
        guard let pattern = try? ChannelPattern(text, grammar: .cometd, maximumBytes: .max) else { return nil }
        self = pattern
    }
}

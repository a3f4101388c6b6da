import BrokerCore

/// What the connections of an event loop have sent and nobody has taken in yet: messages and bodies that are not complete, or
/// wait for their turn. Each may be as large as a message may be, and there may be many.
struct UnfinishedInput {
    /// What a connection is told that wants to keep more than there is room for.
    static let refusal = "Too much that is not complete is kept"
    /// As much as comes without anybody waiting does not count (bytes).
    private static let leastBytes = 16 << 10

    private struct Entry {
        let byteCount: Int
        let address: IPAddress?
    }
    private var shares: MemoryShares
    private var entries: [ObjectIdentifier: Entry] = [:]

    /// What is kept in all.
    var byteCount: Int { shares.byteCount }

    /// So much in all, and no less than what four of the largest messages take.
    init(bytesInAll: Int, messageBytes: Int) {
        let bytesInAll = max(bytesInAll, 4 * messageBytes)
        shares = MemoryShares(bytesInAll: bytesInAll, from: Self.leastBytes)
    }

    /// A connection keeps so many bytes now, of an address (nil: one that is not limited). Whether there is room for them;
    /// they count even if not, until they are fewer or forgotten.
    mutating func note(
        _ byteCount: Int, of connection: AnyObject, from address: @autoclosure () -> IPAddress?
    ) -> Bool {
        let before = entries.isEmpty ? nil : entries[ObjectIdentifier(connection)]
        if byteCount < Self.leastBytes {
            if before != nil { forget(connection) }
            return true
        }
        if before?.byteCount == byteCount { return true }
        forget(connection)
        let entry = Entry(byteCount: byteCount, address: before.map(\.address) ?? address())
        // Who keeps less than before is not refused for what others have brought meanwhile.
        let isLess = before.map { byteCount < $0.byteCount } ?? false
        let hasRoom = isLess || shares.hasRoom(for: byteCount, of: entry.address)
        shares.add(byteCount, of: entry.address)
        entries[ObjectIdentifier(connection)] = entry
        return hasRoom
    }

    /// It keeps nothing any more. To be called before the connection is gone.
    mutating func forget(_ connection: AnyObject) {
        guard !entries.isEmpty, let entry = entries.removeValue(forKey: ObjectIdentifier(connection)) else { return }
        shares.remove(entry.byteCount, of: entry.address)
    }
}

/// Publications over HTTP that carry an `Idempotency-Key`: one that is sent again gets the first one's answer.
///
/// A key means something for one channel and for a while. There are at most so many; the oldest are forgotten first.
struct IdempotencyKeys {
    /// A key of a channel.
    struct Key: Hashable {
        let channel: ChannelName
        let text: String
    }

    /// What is known of a key.
    enum Entry {
        /// The first publication is under way; these requests wait for it, too.
        case pending([ConnectionID])
        case taken(PublishReceipt)
    }

    static let maximumCount = 65_536

    private var entries: [Key: Entry] = [:]
    /// In order of time.
    private var deadlines: ArraySlice<(deadline: UInt64, key: Key)> = []

    subscript(_ key: Key) -> Entry? { entries[key] }

    /// Begins with the first publication of a key.
    mutating func begin(_ key: Key, now: Moment, window: Duration) {
        while let first = deadlines.first, first.deadline <= now.monotonic || entries.count >= Self.maximumCount {
            deadlines.removeFirst()
            // Whoever waits is answered all the same, by `finish`.
            if case .taken = entries[first.key] { entries[first.key] = nil }
        }
        entries[key] = .pending([])
        deadlines.append((now.adding(window), key))
    }

    /// Knows the first publication of a key from before the broker was started again.
    mutating func restore(_ key: Key, _ receipt: PublishReceipt, until deadline: UInt64) {
        guard entries[key] == nil else { return }
        entries[key] = .taken(receipt)
        deadlines.append((deadline, key))
    }

    /// Another request comes while the first one is under way.
    mutating func wait(_ connection: ConnectionID, for key: Key) {
        guard case .pending(let waiting) = entries[key] else { return }
        entries[key] = .pending(waiting + [connection])
    }

    /// The first one is decided; who else waits for it. One that was refused leaves no trace.
    mutating func finish(_ key: Key, _ result: Result<PublishReceipt, BayeuxError>) -> [ConnectionID] {
        guard case .pending(let waiting) = entries[key] else { return [] }
        entries[key] = (try? result.get()).map(Entry.taken)
        return waiting
    }
}

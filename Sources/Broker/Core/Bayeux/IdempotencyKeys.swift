/// Publications over HTTP that carry an `Idempotency-Key`: one that is sent again gets the first one's answer.
///
/// A key means something for one channel, for those who publish there with the same subject, and for a while. It stands
/// for what was published first: with other data it is refused. There are at most so many; the oldest are forgotten first.
struct IdempotencyKeys {
    /// A key of a channel.
    struct Key: Hashable {
        let channel: ChannelName
        /// Whose it is: what their token says; nil where none is needed.
        let subject: String?
        let text: String
    }

    /// What is known of a key.
    enum Entry {
        /// The first publication is under way; these requests wait for it, too.
        case pending([ConnectionID])
        case taken(PublishReceipt)
    }

    private struct Known {
        var entry: Entry
        /// A hash of what was published; none of what an older version has stored.
        let fingerprint: UInt64?
        /// Until when it means something; none if it is forgotten as soon as it is decided.
        var deadline: UInt64?
    }

    static let maximumCount = 65_536

    private var entries: [Key: Known] = [:]
    /// In order of time. Of a key that was refused and has begun anew only the last one counts.
    private var deadlines: ArraySlice<(deadline: UInt64, key: Key)> = []

    /// How many deadlines are remembered, also such as do not count any more.
    var deadlineCount: Int { deadlines.count }

    subscript(_ key: Key) -> Entry? { entries[key]?.entry }

    /// Whether a key is known for other data than that with this fingerprint.
    func isTaken(_ key: Key, by fingerprint: UInt64) -> Bool {
        guard let known = entries[key]?.fingerprint else { return false }
        return known != fingerprint
    }

    /// Forgets the keys whose time is over.
    mutating func advance(to now: Moment) {
        while let first = deadlines.first, first.deadline <= now.monotonic { forgetFirst() }
    }

    /// Begins with the first publication of a key.
    mutating func begin(_ key: Key, of fingerprint: UInt64, now: Moment, window: Duration) {
        advance(to: now)
        while deadlines.count >= Self.maximumCount { forgetFirst() }
        let deadline = now.adding(window)
        entries[key] = Known(entry: .pending([]), fingerprint: fingerprint, deadline: deadline)
        deadlines.append((deadline, key))
    }

    private mutating func forgetFirst() {
        let first = deadlines.removeFirst()
        forget(first.key, since: first.deadline)
    }

    /// A deadline has come. Whoever waits is answered all the same, by `finish`.
    private mutating func forget(_ key: Key, since deadline: UInt64) {
        guard let known = entries[key], known.deadline == deadline else { return }
        switch known.entry {
        case .taken: entries[key] = nil
        case .pending: entries[key]?.deadline = nil
        }
    }

    /// Knows the first publication of a key from before the broker was started again.
    mutating func restore(_ key: Key, of fingerprint: UInt64?, _ receipt: PublishReceipt, until deadline: UInt64) {
        guard entries[key] == nil else { return }
        entries[key] = Known(entry: .taken(receipt), fingerprint: fingerprint, deadline: deadline)
        deadlines.append((deadline, key))
    }

    /// Another request comes while the first one is under way.
    mutating func wait(_ connection: ConnectionID, for key: Key) {
        guard case .pending(let waiting)? = self[key] else { return }
        entries[key]?.entry = .pending(waiting + [connection])
    }

    /// The first one is decided; who else waits for it. One that was refused leaves no trace.
    mutating func finish(_ key: Key, _ result: Result<PublishReceipt, BayeuxError>) -> [ConnectionID] {
        guard let known = entries[key], case .pending(let waiting) = known.entry else { return [] }
        if case .success(let receipt) = result, known.deadline != nil {
            entries[key]?.entry = .taken(receipt)
        } else {
            entries[key] = nil
        }
        return waiting
    }
}

/// Publications over HTTP that carry an `Idempotency-Key`: one that is sent again gets the first one's answer.
///
/// A key means something for one channel, for those who publish there with the same subject, and for a while. It stands
/// for what was published first: with other data it is refused. There are at most so many. When there is no more room, the
/// subject that has the most of them loses its oldest one, if it has more than a share; else the oldest of all goes. So nobody
/// who has little loses it to somebody who has much.
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

    private typealias Deadlines = ArraySlice<(deadline: UInt64, key: Key)>

    /// What one subject has.
    private struct Line {
        /// In order of time.
        var deadlines: Deadlines = []
        /// So many of its oldest ones have lost their place, and still stand in the order of all.
        var skippedCount = 0
    }

    static let maximumCount = 65_536
    /// With more a subject makes room.
    static let shareCount = maximumCount / 16

    private var entries: [Key: Known] = [:]
    /// All, in order of time. Of a key that was refused and has begun anew only the last one counts.
    private var deadlines: Deadlines = []
    private var lines: [String?: Line] = [:]
    /// The subjects with more than a share: fewer than sixteen.
    private var large: Set<String?> = []
    /// So many of `deadlines` have lost their place already.
    private var skippedCount = 0

    /// How many deadlines are remembered, also of keys that were refused.
    var deadlineCount: Int { deadlines.count - skippedCount }

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
        while deadlineCount >= Self.maximumCount { makeRoom() }
        let deadline = now.adding(window)
        entries[key] = Known(entry: .pending([]), fingerprint: fingerprint, deadline: deadline)
        append(key, until: deadline)
    }

    private mutating func append(_ key: Key, until deadline: UInt64) {
        deadlines.append((deadline, key))
        lines[key.subject, default: Line()].deadlines.append((deadline, key))
        if count(of: key.subject) > Self.shareCount { large.insert(key.subject) }
    }

    private func count(of subject: String?) -> Int { lines[subject]?.deadlines.count ?? 0 }

    private mutating func makeRoom() {
        guard let subject = large.max(by: { count(of: $0) < count(of: $1) }) else { return forgetFirst() }
        forgetFirst(of: subject)
        lines[subject]?.skippedCount += 1
        skippedCount += 1
        if skippedCount > Self.maximumCount { removeSkipped() }
    }

    /// What stands first in the order of all.
    private mutating func forgetFirst() {
        let subject = deadlines.removeFirst().key.subject
        if lines[subject]?.skippedCount ?? 0 > 0 {
            lines[subject]?.skippedCount -= 1
            skippedCount -= 1
        } else {
            forgetFirst(of: subject)
        }
        if let line = lines[subject], line.deadlines.isEmpty, line.skippedCount == 0 { lines[subject] = nil }
    }

    private mutating func forgetFirst(of subject: String?) {
        guard let first = lines[subject]?.deadlines.popFirst() else { return }
        if count(of: subject) <= Self.shareCount { large.remove(subject) }
        forget(first.key, since: first.deadline)
    }

    /// Takes what has lost its place out of the order of all. Costs as much as there is, after as many have made room.
    private mutating func removeSkipped() {
        var kept: Deadlines = []
        for slot in deadlines {
            if lines[slot.key.subject]?.skippedCount ?? 0 > 0 {
                lines[slot.key.subject]?.skippedCount -= 1
            } else {
                kept.append(slot)
            }
        }
        deadlines = kept
        skippedCount = 0
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
        append(key, until: deadline)
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

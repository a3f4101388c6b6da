/// Messages that wait for a session which has no connection to write to; bounded in number and bytes.
///
/// What has to make room leaves a gap behind, one for each channel, which the client is told of. Of very many channels
/// those that come last have one together, which is told of as one of each subscription.
struct MessageQueue {
    private var messages: [Publication] = []
    private var first = 0
    private(set) var byteCount = 0
    /// What is missing, if anything is.
    private var losses = OptionalBox<Losses>()

    /// Channels that have a gap of their own.
    static let gapLimit = 100

    /// Nothing waits.
    init() {}

    /// These messages, whatever they weigh.
    init(_ messages: [Publication]) {
        self.messages = messages
        byteCount = messages.reduce(0) { $0 + $1.json.count }
    }

    /// Whether there is nothing to tell: no message, nor one that is missing.
    var isEmpty: Bool { first == messages.count && losses.value == nil }
    var count: Int { messages.count - first }
    /// Messages that had to make room since the queue was last taken, and that the log does not have.
    private(set) var lostCount: UInt32 = 0

    /// The first message that has a sequence number.
    var firstSequence: UInt64? { messages[first...].lazy.compactMap(\.sequence).first }

    /// Appends a message; the oldest ones are dropped while a bound is exceeded, the new one never. The range of those
    /// that the log still has is returned.
    mutating func append(_ publication: Publication, within limits: Limits) -> ClosedRange<UInt64>? {
        messages.append(publication)
        byteCount += publication.json.count
        return dropOldest(within: limits)
    }

    /// Leaves out the messages of a channel, for a newer one is to come. They are told of like those that make room.
    /// Whether there was one.
    mutating func drop(_ channel: String) -> Bool {
        guard let last = messages[first...].lastIndex(where: { $0.channel == channel }) else { return false }
        let dropped = messages.remove(at: last)
        byteCount -= dropped.json.count
        miss(dropped.sequence, of: channel)
        return true
    }

    private mutating func miss(_ sequence: UInt64?, of channel: String) {
        if losses.value == nil { losses.value = Losses() }
        losses.value?.add(sequence, of: channel)
    }

    /// Puts messages that were taken before in front of those that came meanwhile.
    mutating func prepend(
        _ earlier: some Collection<Publication>, within limits: Limits
    ) -> ClosedRange<UInt64>? {
        messages.replaceSubrange(..<first, with: earlier)
        first = 0
        byteCount = messages.reduce(0) { $0 + $1.json.count }
        return dropOldest(within: limits)
    }

    /// Removes all messages, in order; before them, what tells the subscriber of these patterns of gaps.
    mutating func takeAll(epoch: String, patterns: some Collection<ChannelPattern>) -> [Publication] {
        let lost = losses.value?.publications(epoch: epoch, patterns: patterns) ?? []
        defer { self = MessageQueue() }
        return lost + messages[first...]
    }

    /// Leaves out the messages of channels that are not to be kept, and what tells of their gaps.
    mutating func keep(where isKept: (_ channel: String) -> Bool) {
        messages = messages[first...].filter { isKept($0.channel) }
        first = 0
        byteCount = messages.reduce(0) { $0 + $1.json.count }
        losses.value = losses.value?.keeping(isKept)
    }

    /// Leaves out what the log has; the range of it.
    mutating func dropLogged() -> ClosedRange<UInt64>? {
        let sequences = messages[first...].compactMap(\.sequence)
        guard let oldest = sequences.first, let newest = sequences.last else { return nil }
        messages = messages[first...].filter { $0.sequence == nil }
        first = 0
        byteCount = messages.reduce(0) { $0 + $1.json.count }
        return oldest...newest
    }

    /// Drops the oldest message, also when it is the only one; its number if the log has it.
    mutating func dropFirst() -> ClosedRange<UInt64>? {
        guard count > 0 else { return nil }
        let dropped = messages[first]
        byteCount -= dropped.json.count
        first += 1
        if first > messages.count / 2 {
            messages.removeFirst(first)
            first = 0
        }
        guard let sequence = dropped.sequence else {
            miss(nil, of: dropped.channel)
            lostCount += 1
            return nil
        }
        return sequence...sequence
    }

    private mutating func dropOldest(within limits: Limits) -> ClosedRange<UInt64>? {
        var logged: ClosedRange<UInt64>?
        while count > 1, count > limits.queuedMessages || byteCount > limits.queuedBytes {
            guard let dropped = dropFirst() else { continue }
            logged = Gap.hull(logged, dropped)
        }
        return logged
    }
}

/// What a queue misses, by channel; of very many channels those that come last together.
private struct Losses {
    private var gaps: [String: Gap] = [:]
    private var otherGap: Gap?

    mutating func add(_ sequence: UInt64?, of channel: String) {
        if gaps.count < MessageQueue.gapLimit || gaps[channel] != nil {
            gaps[channel, default: Gap()].add(sequence)
        } else {
            var gap = otherGap ?? Gap()
            gap.add(sequence)
            otherGap = gap
        }
    }

    /// What tells the subscriber of these patterns.
    func publications(epoch: String, patterns: some Collection<ChannelPattern>) -> [Publication] {
        let own = gaps.sorted { $0.key < $1.key }.map { Publication($0.value, on: $0.key, epoch: epoch) }
        guard let otherGap else { return own }
        // How many they are of each pattern is not known.
        let gap = patterns.count == 1 ? otherGap : Gap(sequences: otherGap.sequences)
        return own + patterns.map(\.text).sorted().map { Publication(gap, on: $0, epoch: epoch) }
    }

    /// The same without channels that are not to be kept; nil if nothing is left.
    func keeping(_ isKept: (_ channel: String) -> Bool) -> Losses? {
        var kept = self
        kept.gaps = gaps.filter { isKept($0.key) }
        return kept.gaps.isEmpty && kept.otherGap == nil ? nil : kept
    }
}

/// Messages of one channel that a session did not get.
package struct Gap: Equatable, Sendable {
    /// The first and the last one's sequence numbers, as far as they were stored.
    package private(set) var sequences: ClosedRange<UInt64>?
    /// How many they were; none when only the range is known.
    package private(set) var count: Int?

    /// No message yet.
    init() {
        count = 0
    }

    /// All that there were with these sequence numbers.
    package init(sequences: ClosedRange<UInt64>?) {
        self.sequences = sequences
    }

    mutating func add(_ sequence: UInt64?) {
        count? += 1
        if let sequence { sequences = Self.hull(sequences, sequence...sequence) }
    }

    /// One gap that covers both.
    func joined(with other: Gap) -> Gap {
        Gap(sequences: other.sequences.map { Self.hull(sequences, $0) } ?? sequences)
    }

    /// One range that covers both.
    static func hull(_ first: ClosedRange<UInt64>?, _ second: ClosedRange<UInt64>) -> ClosedRange<UInt64> {
        guard let first else { return second }
        return min(first.lowerBound, second.lowerBound)...max(first.upperBound, second.upperBound)
    }
}

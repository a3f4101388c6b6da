/// From where on a subscriber wants what was published before it came (`ext.replay`, numbers as Salesforce uses them).
package enum ReplayPoint: Hashable, Sendable {
    /// −1: nothing that came before.
    case newOnly
    /// −2: all that there is.
    case everything
    /// Everything behind this sequence number.
    case after(UInt64)

    /// The point that a client names; nil for a number that means nothing.
    package init?(_ number: Int64) {
        switch number {
        case -1: self = .newOnly
        case -2: self = .everything
        case 0...: self = .after(UInt64(number))
        default: return nil
        }
    }
}

/// A channel or pattern to subscribe to, and what of the past is wanted.
package struct SubscriptionItem: Hashable, Sendable {
    package let pattern: ChannelPattern
    /// Without one, the subscriber gets what is retained, and no history.
    package let replay: ReplayPoint?

    /// A subscription.
    package init(_ pattern: ChannelPattern, replay: ReplayPoint? = nil) {
        self.pattern = pattern
        self.replay = replay
    }
}

/// What a subscriber gets before what is live.
package struct Backlog: Equatable, Sendable {
    /// A publication of the past; `isRetained` if it is its channel's retained message.
    package struct Entry: Equatable, Sendable {
        package let publication: StoredPublication
        package let isRetained: Bool

        /// An entry.
        package init(_ publication: StoredPublication, isRetained: Bool) {
            self.publication = publication
            self.isRetained = isRetained
        }
    }

    /// What is missing of a channel.
    package struct Loss: Equatable, Sendable {
        package let channel: ChannelName
        package let gap: Gap

        /// A loss.
        package init(_ channel: ChannelName, _ gap: Gap) {
            self.channel = channel
            self.gap = gap
        }
    }

    /// In order of sequence numbers, each once.
    package var entries: [Entry] = []
    /// What was asked for and is not there any more.
    package var losses: [Loss] = []

    /// Nothing.
    package init(entries: [Entry] = [], losses: [Loss] = []) {
        self.entries = entries
        self.losses = losses
    }
}

/// How much a backlog may be; of more than that the newest is given, and the rest told as lost.
package struct BacklogLimits: Equatable, Sendable {
    package var messages = 10_000
    package var bytes = 16 << 20

    /// The defaults.
    package init() {}
}

/// Puts a backlog together from what matches several patterns.
package struct BacklogBuilder {
    private let limits: BacklogLimits
    private var entries: [UInt64: Backlog.Entry] = [:]
    private var losses: [ChannelName: Gap] = [:]

    /// An empty backlog.
    package init(limits: BacklogLimits) {
        self.limits = limits
    }

    /// Adds a publication, which may be there already.
    package mutating func add(_ publication: StoredPublication, isRetained: Bool) {
        let wasRetained = entries[publication.sequence]?.isRetained ?? false
        entries[publication.sequence] = .init(publication, isRetained: isRetained || wasRetained)
    }

    /// Adds what is missing of a channel.
    package mutating func add(_ loss: Backlog.Loss) {
        losses[loss.channel] = losses[loss.channel]?.joined(with: loss.gap) ?? loss.gap
    }

    /// The backlog: the newest within the limits, and the rest of it among the losses.
    package consuming func finish() -> Backlog {
        let sorted = entries.values.sorted { $0.publication.sequence < $1.publication.sequence }
        var bytes = 0
        let kept = sorted.reversed().prefix { entry in
            bytes += entry.publication.data.count
            return bytes <= limits.bytes
        }.prefix(limits.messages).count
        for entry in sorted.dropLast(kept) {
            let sequence = entry.publication.sequence
            add(.init(entry.publication.channel, Gap(sequences: sequence...sequence)))
        }
        return Backlog(
            entries: sorted.suffix(kept),
            losses: losses.sorted { $0.key.text < $1.key.text }.map { .init($0.key, $0.value) })
    }
}

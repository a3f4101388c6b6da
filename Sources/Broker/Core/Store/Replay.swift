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

    /// The number that a client would name.
    package var number: Int64 {
        switch self {
        case .newOnly: -1
        case .everything: -2
        case .after(let sequence): Int64(clamping: sequence)
        }
    }
}

/// A channel or pattern to subscribe to, and what of the past is wanted.
package struct SubscriptionItem: Hashable, Sendable {
    package let pattern: ChannelPattern
    /// Without one, the subscriber gets what is retained, and no history.
    package let replay: ReplayPoint?
    /// What lies up to here it has already.
    package let resumedAfter: UInt64

    /// A subscription.
    package init(_ pattern: ChannelPattern, replay: ReplayPoint? = nil, resumedAfter: UInt64 = 0) {
        self.pattern = pattern
        self.replay = replay
        self.resumedAfter = resumedAfter
    }

    /// The same for one who has what lies up to `position`.
    func resumed(after position: UInt64) -> SubscriptionItem {
        SubscriptionItem(pattern, replay: replay, resumedAfter: max(resumedAfter, position))
    }
}

/// Which part of the past is to be read.
package struct BacklogRequest: Sendable, Equatable {
    package let items: [SubscriptionItem]
    /// What is newer is live.
    package let through: UInt64
    /// Of more than so many the newest are given, and the rest told as lost.
    package let limit: Int
    /// The time, in milliseconds since 1970.
    package var wall: Int64
    /// Which of its session's replays it is (`PendingReplay`).
    package let part: Int64

    /// A request.
    package init(items: [SubscriptionItem], through: UInt64, limit: Int, wall: Int64, part: Int64 = 0) {
        self.items = items
        self.through = through
        self.limit = limit
        self.wall = wall
        self.part = part
    }

    /// The same for some of the patterns only; nil if none of them is asked for.
    func restricted(to isKept: (ChannelPattern) -> Bool) -> BacklogRequest? {
        let kept = items.filter { isKept($0.pattern) }
        if kept.isEmpty { return nil }
        return BacklogRequest(items: kept, through: through, limit: limit, wall: wall, part: part)
    }

    /// The same for one who has what lies up to `position`.
    func resumed(after position: UInt64) -> BacklogRequest {
        BacklogRequest(
            items: items.map { $0.resumed(after: position) }, through: through, limit: limit, wall: wall, part: part)
    }
}

/// What a subscriber gets before what is live: the first page of it, and how to go on.
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

    /// What is missing of a channel, or of many.
    package struct Loss: Equatable, Sendable {
        /// The channel, or a pattern of the subscriber's that stands for several.
        package let channels: ChannelPattern
        package let gap: Gap

        /// A loss on one channel.
        package init(_ channel: ChannelName, _ gap: Gap) { self.init(ChannelPattern(channel), gap) }

        /// A loss on what a pattern matches.
        package init(_ channels: ChannelPattern, _ gap: Gap) {
            self.channels = channels
            self.gap = gap
        }
    }

    /// In order of sequence numbers, each once.
    package var entries: [Entry]
    /// What was asked for and is not there any more.
    package var losses: [Loss]
    /// What comes after that.
    package var rest: BacklogPlan?

    /// Nothing.
    package init(entries: [Entry] = [], losses: [Loss] = [], rest: BacklogPlan? = nil) {
        self.entries = entries
        self.losses = losses
        self.rest = rest
    }
}

/// What one request gets of a history: publications in their order, until there are so many, or so many bytes.
package struct HistoryPage {
    /// The publication that reaches it is the last one, so there is one at least, and whoever asks on comes to the end.
    package static let maximumBytes = 8 << 20
    private let limit: Int
    private var byteCount = 0
    package private(set) var entries: [Backlog.Entry] = []

    /// Nothing yet.
    package init(limit: Int) { self.limit = limit }

    /// Whether it takes no more.
    package var isFull: Bool { entries.count >= limit || byteCount >= Self.maximumBytes }

    /// Where it ends because it is full.
    package var end: UInt64? { isFull ? entries.last?.publication.sequence : nil }

    /// Adds the next publication, unless it is full.
    package mutating func append(_ publication: StoredPublication) {
        guard !isFull else { return }
        entries.append(.init(publication, isRetained: false))
        byteCount += publication.data.count
    }
}

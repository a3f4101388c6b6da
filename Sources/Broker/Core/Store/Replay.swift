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

    /// Adds the next publication, unless it is full.
    package mutating func append(_ publication: StoredPublication) {
        guard !isFull else { return }
        entries.append(.init(publication, isRetained: false))
        byteCount += publication.data.count
    }
}

/// The places in the log that a backlog consists of; a few bytes for each, whatever the publications weigh.
package struct BacklogPlan: Equatable, Sendable {
    /// A place in the log.
    package struct Place: Equatable, Sendable {
        package let sequence: UInt64
        /// The number of its channel among `channels` if it is part of a history; a retained message needs none, for
        /// if it is gone when its turn comes, a newer one is on its way.
        package let channel: UInt32?
        package let isRetained: Bool

        /// A place.
        package init(sequence: UInt64, channel: UInt32?, isRetained: Bool) {
            self.sequence = sequence
            self.channel = channel
            self.isRetained = isRetained
        }
    }
    /// Those that are not read yet, in order.
    package var places: ArraySlice<Place>
    package let channels: [ChannelName]

    /// The places in order; those that are there twice are made one.
    package init(_ places: [Place], channels: [ChannelName]) {
        self.channels = channels
        var unique: [Place] = []
        unique.reserveCapacity(places.count)
        for place in places.sorted(by: { $0.sequence < $1.sequence }) {
            guard let last = unique.last, last.sequence == place.sequence else {
                unique.append(place)
                continue
            }
            unique[unique.count - 1] = Place(
                sequence: place.sequence, channel: last.channel ?? place.channel,
                isRetained: last.isRetained || place.isRetained)
        }
        self.places = unique[...]
    }

    /// How much is read at a time: enough to be worth a turn, little enough to wait in memory for a slow reader.
    package static let pageCount = 512
    package static let pageBytes = 256 << 10

    /// Leaves out the oldest beyond `limit`; they are returned.
    package mutating func limit(to limit: Int) -> ArraySlice<Place> {
        let surplus = places.prefix(max(places.count - limit, 0))
        places.removeFirst(surplus.count)
        return surplus
    }

    /// The next page. `read` finds a publication by its sequence number; one that has left a history is a loss.
    package consuming func nextPage(
        losses: [Backlog.Loss] = [], read: (UInt64) throws -> StoredPublication?
    ) rethrows -> Backlog {
        var page = Backlog(losses: losses)
        var missing = LossCollector()
        var byteCount = 0
        while let place = places.first, page.entries.count < Self.pageCount, byteCount < Self.pageBytes {
            places.removeFirst()
            if let publication = try read(place.sequence) {
                page.entries.append(.init(publication, isRetained: place.isRetained))
                byteCount += publication.data.count
            } else if let channel = place.channel {
                missing.add(place.sequence...place.sequence, of: channels[Int(channel)])
            }
        }
        page.losses += missing.losses
        if !places.isEmpty { page.rest = self }
        return page
    }
}

/// Gathers what is missing, one gap for each channel.
package struct LossCollector {
    private var gaps: [ChannelName: Gap] = [:]

    /// Nothing is missing.
    package init() {}

    /// Adds what is missing of a channel.
    package mutating func add(_ sequences: ClosedRange<UInt64>, of channel: ChannelName) {
        let gap = Gap(sequences: sequences)
        gaps[channel] = gaps[channel]?.joined(with: gap) ?? gap
    }

    /// In order of channels.
    package var losses: [Backlog.Loss] {
        gaps.sorted { $0.key.text < $1.key.text }.map { .init($0.key, $0.value) }
    }
}

/// The places in the log that a backlog consists of; a few bytes for each, whatever the publications weigh.
package struct BacklogPlan: Equatable, Sendable {
    /// A place in the log.
    struct Place: Equatable, Sendable {
        let sequence: UInt64
        /// The number of its channel among `channels`.
        var channel: UInt32
        var isRetained: Bool
        /// A retained message that is in no history is not missed: if it is gone when its turn comes, a newer one is on
        /// its way.
        var isInHistory: Bool
    }
    /// Those that are not read yet, in order.
    private var places: ArraySlice<Place>
    private let channels: [ChannelName]

    /// The places in order, each once.
    fileprivate init(_ places: ArraySlice<Place>, channels: [ChannelName]) {
        self.places = places
        self.channels = channels
    }

    /// How much is read at a time: enough to be worth a turn, little enough to wait in memory for a slow reader.
    package static let pageCount = 512
    package static let pageBytes = 256 << 10
    /// How many places are looked at for a page: most of them may be gone since.
    package static let pagePlaces = 8 * pageCount

    /// The next page; empty, with a rest, where nothing of so many places is there. `read` finds a publication by its
    /// sequence number; one that has left a history is a loss.
    package consuming func nextPage(
        losses: [Backlog.Loss] = [], read: (UInt64) throws -> StoredPublication?
    ) rethrows -> Backlog {
        var page = Backlog(losses: losses)
        var missing = LossCollector()
        var (byteCount, placeCount) = (0, 0)
        while let place = places.first, page.entries.count + missing.count < Self.pageCount,
            byteCount < Self.pageBytes, placeCount < Self.pagePlaces
        {
            places.removeFirst()
            placeCount += 1
            if let publication = try read(place.sequence) {
                page.entries.append(.init(publication, isRetained: place.isRetained))
                byteCount += publication.data.count
            } else if place.isInHistory {
                missing.add(place.sequence...place.sequence, of: channels[Int(place.channel)])
            }
        }
        page.losses += missing.losses
        if !places.isEmpty { page.rest = self }
        return page
    }
}

/// Gathers the places of a backlog, in any order and as often as they are found.
///
/// It holds twice `limit` of them at most, whatever it is given: the oldest are left out, and lost, as soon as so many
/// newer ones are known.
package struct BacklogCollector {
    private let limit: Int
    private(set) var places: [BacklogPlan.Place] = []
    /// What is older is lost.
    private var oldest: UInt64 = 0
    private var channels: [ChannelName] = []
    private var numbers: [ChannelName: UInt32] = [:]
    private var losses = LossCollector()

    /// Nothing yet; of what is more than `limit`, the oldest is lost.
    package init(limit: Int) { self.limit = limit }

    /// Adds a channel's retained message.
    package mutating func addRetained(_ sequence: UInt64, of channel: ChannelName) {
        add(sequence, of: channel, isRetained: true)
    }

    /// Adds a publication of a channel's history.
    package mutating func add(_ sequence: UInt64, of channel: ChannelName) {
        add(sequence, of: channel, isRetained: false)
    }

    private mutating func add(_ sequence: UInt64, of channel: ChannelName, isRetained: Bool) {
        guard sequence >= oldest else { return losses.add(sequence...sequence, of: channel) }
        let number = number(of: channel)
        places.append(
            .init(sequence: sequence, channel: number, isRetained: isRetained, isInHistory: !isRetained))
        if places.count - limit >= limit { tidy() }
    }

    private mutating func number(of channel: ChannelName) -> UInt32 {
        if let last = channels.last, last == channel { return UInt32(channels.count - 1) }
        if let number = numbers[channel] { return number }
        channels.append(channel)
        numbers[channel] = UInt32(channels.count - 1)
        return UInt32(channels.count - 1)
    }

    /// Adds what is missing of a channel, unless that is nothing.
    package mutating func addLoss(of channel: ChannelName, after start: UInt64, through last: UInt64) {
        if last > start { losses.add(start + 1...last, of: channel) }
    }

    /// Puts places in order, makes those one that are there twice, and leaves out the oldest beyond `limit`; nothing is
    /// kept that only those needed.
    private mutating func tidy() {
        places.sort { $0.sequence < $1.sequence }
        var count = 0
        for index in places.indices {
            let place = places[index]
            if count > 0, places[count - 1].sequence == place.sequence {
                places[count - 1].isRetained = places[count - 1].isRetained || place.isRetained
                places[count - 1].isInHistory = places[count - 1].isInHistory || place.isInHistory
            } else {
                places[count] = place
                count += 1
            }
        }
        let surplus = max(count - limit, 0)
        for place in places[..<surplus] {
            losses.add(place.sequence...place.sequence, of: channels[Int(place.channel)])
        }
        places = Array(places[surplus..<count])
        if places.count == limit, let first = places.first { oldest = first.sequence }

        let former = channels
        channels = []
        numbers = [:]
        for index in places.indices {
            let number = number(of: former[Int(places[index].channel)])
            places[index].channel = number
        }
    }

    /// The first page of all that was gathered for a request.
    package consuming func firstPage(
        of request: BacklogRequest, read: (UInt64) throws -> StoredPublication?
    ) rethrows -> Backlog {
        tidy()
        let losses = losses.joinedLosses(for: request.items)
        return try BacklogPlan(places[...], channels: channels).nextPage(losses: losses, read: read)
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

    /// Of how many channels something is missing.
    package var count: Int { gaps.count }

    /// In order of channels.
    package var losses: [Backlog.Loss] {
        gaps.sorted { $0.key.text < $1.key.text }.map { .init($0.key, $0.value) }
    }

    /// The same for the subscriber of these items. Of very many channels (`MessageQueue.gapLimit`) the last ones are told
    /// of together, as one gap for each of its patterns.
    func joinedLosses(for items: [SubscriptionItem]) -> [Backlog.Loss] {
        let all = losses
        guard all.count > MessageQueue.gapLimit else { return all }
        var wanted = WantedPast(of: items)
        var joined: [ChannelPattern: Gap] = [:]
        for loss in all[MessageQueue.gapLimit...] {
            let pattern = wanted.root(of: loss.channels) ?? loss.channels
            joined[pattern] = joined[pattern]?.joined(with: loss.gap) ?? loss.gap
        }
        return Array(all[..<MessageQueue.gapLimit])
            + joined.sorted { $0.key.text < $1.key.text }.map { Backlog.Loss($0.key, $0.value) }
    }
}

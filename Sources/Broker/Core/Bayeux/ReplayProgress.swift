/// How far a session's client has come with what its subscriptions asked for of the past: a pure value.
///
/// A replay is pending until its end is known to have arrived. What was sent when a connect was answered has arrived when
/// the next connect comes; a client that acknowledges says so itself. A connection that is lost takes away what was
/// sent, and a broker that is started again goes on with what was pending.
struct ReplayProgress {
    private struct Entry {
        /// Where it began: what is known to have arrived lies between here and `replay.position`.
        var origin: UInt64
        var replay: PendingReplay
        /// Up to here it was asked for. What is newer was live when what is retained was asked for as well.
        var asked: UInt64
        /// Up to where it was sent, and how far that was when the last connect was answered.
        var sent: UInt64
        var answered: UInt64

        init(_ replay: PendingReplay) {
            self.replay = replay
            asked = replay.through
            (origin, sent, answered) = (replay.position, replay.position, replay.position)
        }

        /// It covers an earlier one, and goes on where that is unless it begins before.
        mutating func goOn(from earlier: Entry) {
            origin = min(origin, earlier.origin)
            if replay.position == earlier.replay.position { (sent, answered) = (earlier.sent, earlier.answered) }
        }
    }
    private var entries: [ChannelPattern: Entry] = [:]
    private var unwritten: [ChannelPattern: SessionProgress.Replayed] = [:]
    private(set) var lastPart: Int64 = 0
    /// The last one of before the broker was started: what a client says of that time means none that is newer.
    private(set) var lastRestoredPart: Int64 = 0

    /// Nothing is pending.
    init() {}

    /// What was pending when the broker was started.
    init(_ pending: [ChannelPattern: PendingReplay]) {
        entries = pending.mapValues(Entry.init)
        lastPart = pending.values.lazy.map(\.part).max() ?? 0
        lastRestoredPart = lastPart
    }

    /// What is pending.
    var pending: [ChannelPattern: PendingReplay] { entries.mapValues(\.replay) }

    /// The number of the next replay.
    mutating func nextPart() -> Int64 {
        lastPart += 1
        return lastPart
    }

    /// A subscription has asked for what lies up to `through`.
    mutating func add(_ items: [SubscriptionItem], through: UInt64, part: Int64) {
        for item in items {
            guard let replay = PendingReplay(of: item, through: through, part: part) else { continue }
            guard let earlier = entries[item.pattern] else {
                entries[item.pattern] = Entry(replay)
                continue
            }
            var entry = Entry(replay.joined(with: earlier.replay))
            // How far what is retained has come says nothing of a history.
            if earlier.replay.point != nil || replay.point == nil { entry.goOn(from: earlier) }
            if earlier.replay.point != nil, replay.point == nil { entry.asked = earlier.asked }
            entries[item.pattern] = entry
        }
    }

    /// What is pending of what a subscription has asked for.
    subscript(_ pattern: ChannelPattern) -> PendingReplay? { entries[pattern]?.replay }

    /// Replays of which nothing was sent have become one. The patterns of those that had another number before.
    mutating func join(_ request: BacklogRequest) -> [ChannelPattern] {
        var moved: [ChannelPattern] = []
        for item in request.items {
            guard let part = entries[item.pattern]?.replay.part, part != request.part else { continue }
            entries[item.pattern]?.replay.part = request.part
            moved.append(item.pattern)
        }
        return moved
    }

    /// A subscription has ended.
    mutating func remove(_ pattern: ChannelPattern) {
        entries[pattern] = nil
        unwritten[pattern] = nil
    }

    /// What a request asks for was sent up to `position`.
    mutating func send(_ items: [SubscriptionItem], through position: UInt64) {
        for item in items {
            guard let start = item.start, let entry = entries[item.pattern], start <= entry.sent,
                item.asksForPast || entry.replay.point == nil || entry.sent >= entry.asked
            else { continue }
            entries[item.pattern]?.sent = max(entry.sent, min(position, entry.replay.through))
        }
    }

    /// A connect is answered: the next one says that all that was sent has arrived.
    mutating func answer() {
        for (pattern, entry) in entries { entries[pattern]?.answered = entry.sent }
    }

    /// That connect has come. Whether anything is known that was not before.
    mutating func confirmAnswered() -> Bool { confirm { $0.answered } }

    /// All that was sent has arrived, or will.
    mutating func confirmSent() -> Bool { confirm { $0.sent } }

    private mutating func confirm(_ position: (Entry) -> UInt64) -> Bool {
        var isNews = false
        for (pattern, entry) in entries {
            let position = position(entry)
            guard position > entry.replay.position || position >= entry.replay.through else { continue }
            isNews = true
            note(entry, of: pattern, through: position)
            if position >= entry.replay.through {
                entries[pattern] = nil
            } else {
                entries[pattern]?.replay.position = position
            }
        }
        return isNews
    }

    private mutating func note(_ entry: Entry, of pattern: ChannelPattern, through position: UInt64) {
        let retainedPart = entry.replay.point == nil ? entry.replay.part : nil
        if retainedPart != nil, let history = unwritten[pattern], history.retainedPart == nil {
            // That one is over, and not written down yet.
            unwritten[pattern] = .init(pattern, after: history.after, through: max(position, history.through))
        } else {
            unwritten[pattern] = .init(
                pattern, after: entry.origin, through: position, retainedPart: retainedPart)
        }
    }

    /// What was sent and is not known to have arrived is lost.
    mutating func forgetSent() {
        for (pattern, entry) in entries {
            entries[pattern]?.sent = entry.replay.position
            entries[pattern]?.answered = entry.replay.position
        }
    }

    /// What is still to be read, in the order in which it was asked for.
    func requests(limit: Int) -> [BacklogRequest] {
        Dictionary(grouping: entries, by: \.value.replay.part)
            .sorted { $0.key < $1.key }
            .map { part, entries in
                let items = entries.map { $0.value.replay.rest(of: $0.key) }
                return BacklogRequest(
                    items: items.sorted { $0.pattern.text < $1.pattern.text },
                    through: entries.map(\.value.replay.through).max() ?? 0, limit: limit, wall: 0, part: part)
            }
    }

    /// What is known since this was last asked.
    mutating func takeUnwritten() -> [SessionProgress.Replayed] {
        defer { unwritten = [:] }
        return Array(unwritten.values)
    }
}

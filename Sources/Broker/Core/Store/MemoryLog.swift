/// A log in memory: histories and retained messages, gone with the process. A copy costs nothing, and a change behind it
/// little (`PartedDictionary`), but more than to look at a few publications: what goes through much of it reads a copy,
/// all else reads it where it is.
package struct MemoryLog: Sendable {
    private struct Kept {
        let publication: StoredPublication
        let expiresAt: Int64?
        /// Until when it belongs to its channel's history; none if it never did.
        let historyUntil: Int64?
        /// What it counts for (bytes).
        let weight: Int
        /// Whether it is its channel's retained message, whether its channel's history has not dropped it.
        var isRetained = false
        var isInHistory = false

        func isLive(at wall: Int64) -> Bool { expiresAt.map { $0 > wall } ?? true }
        func isHistory(at wall: Int64) -> Bool { isInHistory && historyUntil.map { $0 > wall } ?? false }
        /// Whether it is missed because it has grown too old. One that has expired is missed by nobody, and one that is
        /// retained is given all the same.
        func isAged(at wall: Int64) -> Bool {
            isInHistory && !isRetained && isLive(at: wall) && !isHistory(at: wall)
        }
    }
    private struct History {
        var sequences: ArraySlice<UInt64> = []
        /// The last one that made room.
        var trimmed: UInt64 = 0
        /// The last one that was dropped because it had grown too old.
        var aged: UInt64 = 0

        /// Those that are newer than one number, and not newer than another.
        func part(after: UInt64, through: UInt64) -> ArraySlice<UInt64> {
            guard after < through else { return [] }
            return sequences[index(behind: after)..<index(behind: through)]
        }

        /// Where those begin that are newer; found by halving, for they are in order.
        private func index(behind sequence: UInt64) -> Int {
            var (low, high) = (sequences.startIndex, sequences.endIndex)
            while low < high {
                let middle = low + (high - low) / 2
                if sequences[middle] > sequence { high = middle } else { low = middle + 1 }
            }
            return low
        }
    }
    /// So many publications are looked at before it takes long: that is about as much as a change behind a copy costs.
    package static let quickCount = 1_000

    private var publications = PartedDictionary<UInt64, Kept>()
    private var histories = PartedDictionary<ChannelName, History>()
    private var retained = PartedDictionary<ChannelName, UInt64>()
    /// What all weigh together.
    private var byteCount = 0
    /// When those that are too old were looked for last (ms since 1970).
    private var sweptAt: Int64 = 0

    /// A log without a publication.
    package init() {}

    /// Whether there is nothing in it.
    package var isEmpty: Bool { publications.isEmpty && histories.isEmpty }

    /// Takes a publication with its sequence number, higher than all before.
    package mutating func append(_ draft: PublicationDraft, sequence: UInt64) {
        let publication = StoredPublication(
            sequence: sequence, channel: draft.channel, data: draft.data, isBinary: draft.isBinary)
        if draft.isKept {
            let until = draft.history.map { min($0.until, draft.expiresAt ?? .max) }
            publications[sequence] = Kept(
                publication: publication, expiresAt: draft.expiresAt, historyUntil: until, weight: draft.weight)
            byteCount += draft.weight
        }
        switch draft.retention {
        case .replace:
            release(retained.updateValue(sequence, forKey: draft.channel))
            publications[sequence]?.isRetained = true
        case .clear: clearRetained(of: draft.channel)
        case nil: break
        }
        guard let history = draft.history else { return }
        publications[sequence]?.isInHistory = true
        histories[draft.channel, default: History()].sequences.append(sequence)
        while let count = histories[draft.channel]?.sequences.count, count > history.count {
            guard let oldest = histories[draft.channel]?.sequences.popFirst() else { return }
            histories[draft.channel]?.trimmed = oldest
            publications[oldest]?.isInHistory = false
            forget(oldest)
        }
    }

    /// Forgets a channel's retained message.
    package mutating func clearRetained(of channel: ChannelName) {
        release(retained.removeValue(forKey: channel))
    }

    private mutating func release(_ older: UInt64?) {
        guard let older else { return }
        publications[older]?.isRetained = false
        forget(older)
    }

    /// Forgets a publication that nothing needs any more.
    private mutating func forget(_ sequence: UInt64) {
        guard let kept = publications[sequence], !kept.isRetained, !kept.isInHistory else { return }
        publications[sequence] = nil
        byteCount -= kept.weight
    }

    /// Whether there is room for a publication within `maximum` bytes; what is too old makes some.
    package mutating func makeRoom(for draft: PublicationDraft, within maximum: Int) -> Bool {
        let needed = draft.isKept ? draft.weight - weight(replacedBy: draft) : 0
        if needed > 0, byteCount + needed > maximum, draft.publishedAt - sweptAt >= Self.sweepInterval {
            sweptAt = draft.publishedAt
            forgetExpired(at: draft.publishedAt)
        }
        return needed <= 0 || byteCount + needed <= maximum
    }

    /// A look at everything is made at most this often (ms).
    private static let sweepInterval: Int64 = 1_000

    /// What a publication frees by taking its channel's retained message's place, unless the history has that.
    private func weight(replacedBy draft: PublicationDraft) -> Int {
        guard draft.retention == .replace, let older = retained[draft.channel].flatMap({ publications[$0] }),
            !older.isInHistory
        else { return 0 }
        return older.weight
    }

    private mutating func forgetExpired(at wall: Int64) {
        for (channel, sequence) in retained where publications[sequence]?.isLive(at: wall) == false {
            clearRetained(of: channel)
        }
        for (channel, history) in histories {
            let old = history.sequences.prefix { publications[$0]?.isHistory(at: wall) != true }
            if let aged = old.last(where: { publications[$0]?.isAged(at: wall) == true }) {
                histories[channel]?.aged = max(history.aged, aged)
            }
            for sequence in old {
                publications[sequence]?.isInHistory = false
                forget(sequence)
            }
            histories[channel]?.sequences.removeFirst(old.count)
            // Of a channel of which nothing is young enough, nothing is remembered.
            if history.sequences.count == old.count { histories[channel] = nil }
        }
    }

    /// The publication with this sequence number, if it is still there.
    package func publication(_ sequence: UInt64) -> StoredPublication? { publications[sequence]?.publication }

    /// The retained message of a channel.
    package func retained(of channel: ChannelName, wall: Int64) -> StoredPublication? {
        guard let kept = retained[channel].flatMap({ publications[$0] }), kept.isLive(at: wall) else {
            return nil
        }
        return kept.publication
    }

    /// Whether a subscriber gets a retained message, as far as can be said at a glance.
    package func hasRetained(for items: [SubscriptionItem]) -> Bool {
        !retained.isEmpty && items.wantRetained(of: retained.lazy.map(\.key)) { retained[$0] != nil }
    }

    /// A page of a channel's history, the oldest behind `after` and up to `through`, and what is missing there. It costs as
    /// much as is in it, and what has grown too old before that and was not dropped yet.
    package func history(
        of channel: ChannelName, after: UInt64, through: UInt64 = .max, limit: Int, wall: Int64
    ) -> Backlog {
        history(of: channel, after: after, through: through, limit: limit, wall: wall, maximumCount: .max) ?? Backlog()
    }

    /// The same if it does not take long, else nil.
    package func quickHistory(
        of channel: ChannelName, after: UInt64, through: UInt64 = .max, limit: Int, wall: Int64
    ) -> Backlog? {
        history(
            of: channel, after: after, through: through, limit: limit, wall: wall, maximumCount: Self.quickCount)
    }

    /// The same; nil when more than `maximumCount` publications would have to be looked at.
    private func history(
        of channel: ChannelName, after: UInt64, through: UInt64, limit: Int, wall: Int64, maximumCount: Int
    ) -> Backlog? {
        guard let history = histories[channel] else { return Backlog() }
        var page = HistoryPage(limit: limit)
        var lost = max(history.trimmed, history.aged)
        var count = 0
        for sequence in history.part(after: after, through: through) {
            if page.end != nil { break }
            if count == maximumCount { return nil }
            count += 1
            guard let kept = publications[sequence] else { continue }
            if kept.isHistory(at: wall) {
                page.append(kept.publication)
            } else if kept.isAged(at: wall) {
                lost = max(lost, sequence)
            }
        }
        var losses = LossCollector()
        // What is missing behind it is told with the next page.
        lost = min(lost, page.end ?? lost)
        if lost > after { losses.add(after + 1...lost, of: channel) }
        return Backlog(entries: page.entries, losses: losses.losses)
    }

    /// Whether what a backlog consists of is found without taking long: nobody asks for wildcards, and there is little
    /// behind what is named.
    package func isQuick(_ request: BacklogRequest) -> Bool {
        if isEmpty { return true }
        var count = 0
        for item in request.items {
            guard let start = item.start else { continue }
            guard let name = ChannelName(item.pattern) else { return false }
            count += 1
            if item.replay != nil, let history = histories[name] {
                count += history.part(after: start, through: request.through).count
            }
            if count > Self.quickCount { return false }
        }
        return true
    }

    /// What a backlog consists of, as far as it is here. Names are looked up; with wildcards, all channels are gone
    /// through, once.
    package func collect(_ request: BacklogRequest, into collector: inout BacklogCollector) {
        guard !isEmpty else { return }
        var wanted = WantedPast(of: request.items)
        if let names = wanted.names {
            for name in names { collect(retained[name], of: name, &wanted, request, into: &collector) }
        } else {
            for (name, sequence) in retained { collect(sequence, of: name, &wanted, request, into: &collector) }
        }
        wanted = WantedPast(of: request.items.lazy.filter { $0.replay != nil })
        if let names = wanted.names {
            for name in names { collect(histories[name], of: name, &wanted, request, into: &collector) }
        } else {
            for (name, history) in histories { collect(history, of: name, &wanted, request, into: &collector) }
        }
    }

    /// Adds a retained message, if there is one and it is wanted.
    private func collect(
        _ sequence: UInt64?, of channel: ChannelName, _ wanted: inout WantedPast, _ request: BacklogRequest,
        into collector: inout BacklogCollector
    ) {
        guard let sequence, sequence <= request.through, let start = wanted.start(in: channel),
            sequence > start.entries, publications[sequence]?.isLive(at: request.wall) == true
        else { return }
        collector.addRetained(sequence, of: channel)
    }

    /// Adds what is wanted of a history, if there is one.
    private func collect(
        _ history: History?, of channel: ChannelName, _ wanted: inout WantedPast, _ request: BacklogRequest,
        into collector: inout BacklogCollector
    ) {
        guard let history, let start = wanted.start(in: channel) else { return }
        var lost = max(history.trimmed, history.aged)
        for sequence in history.part(after: start.entries, through: request.through) {
            guard let kept = publications[sequence] else { continue }
            if kept.isHistory(at: request.wall) {
                collector.add(sequence, of: channel)
            } else if kept.isAged(at: request.wall) {
                lost = max(lost, sequence)
            }
        }
        // What has left since is live for the subscriber.
        if let after = start.losses {
            collector.addLoss(of: channel, after: after, through: min(lost, request.through))
        }
    }
}

extension [SubscriptionItem] {
    /// So many channels are looked at.
    private static var glance: Int { 1_000 }

    /// Whether one of them gets what is retained of one of the channels. Names are looked up; with wildcards, some of the
    /// channels are gone through, and where there are more, one of those is taken to be wanted.
    package func wantRetained(
        of channels: some Sequence<ChannelName>, contains: (ChannelName) -> Bool
    ) -> Bool {
        var wanted = WantedPast(of: self)
        if let names = wanted.names { return names.contains(where: contains) }
        var count = 0
        for channel in channels {
            if count == Self.glance || wanted.start(in: channel) != nil { return true }
            count += 1
        }
        return false
    }
}

extension PublicationDraft {
    /// What it counts for where it is kept in memory (bytes): itself, and what it takes to find it.
    fileprivate var weight: Int { data.count + 2 * channel.text.utf8.count + 256 }
}

extension SubscriptionItem {
    /// The sequence number behind which it wants retained messages and history; nil if it wants neither.
    package var start: UInt64? { Self.start(of: replay).map { max($0, resumedAfter) } }

    static func start(of replay: ReplayPoint?) -> UInt64? {
        switch replay {
        case .newOnly: nil
        case nil, .everything: 0
        case .after(let sequence): sequence
        }
    }

    /// Whether it wants something else of the past than what is retained.
    package var asksForPast: Bool { replay != nil && replay != .newOnly }

    /// Whether it wants to know what is missing: only who names a number, or has begun, can miss anything.
    package var wantsLosses: Bool {
        if case .after = replay { true } else { asksForPast && resumedAfter > 0 }
    }
}

/// What a subscription asked for of the past, of which its client is not known to have everything.
package struct PendingReplay: Hashable, Sendable {
    /// What was asked for; none means the retained messages.
    package let point: ReplayPoint?
    /// What is newer is live.
    package let through: UInt64
    /// Up to here it has arrived.
    package var position: UInt64
    /// Which of the session's replays it belongs to: they come one after the other, in the order of these numbers.
    package var part: Int64

    /// A replay, of which nothing may have arrived.
    package init(point: ReplayPoint?, through: UInt64, position: UInt64 = 0, part: Int64) {
        self.point = point
        self.through = through
        self.position = max(position, SubscriptionItem.start(of: point) ?? 0)
        self.part = part
    }

    /// The replay of an item; nil if it asks for nothing.
    package init?(of item: SubscriptionItem, through: UInt64, part: Int64) {
        guard item.start != nil else { return nil }
        self.init(point: item.replay, through: through, part: part)
    }

    /// One that covers this and an earlier one of the same pattern. What is retained comes with a history, and how far one
    /// has come with it says nothing of that.
    package func joined(with earlier: PendingReplay) -> PendingReplay {
        let nearest = min(position, earlier.position)
        let (point, reached): (ReplayPoint?, UInt64) =
            switch (earlier.point, self.point) {
            case (nil, nil): (nil, nearest)
            case (nil, let asked?): (asked, position)
            case (let asked?, nil): (asked, earlier.position)
            case (.after(let first), .after(let second)): (.after(min(first, second)), nearest)
            default: (.everything, nearest)
            }
        return PendingReplay(point: point, through: max(through, earlier.through), position: reached, part: part)
    }

    /// What is still to be read.
    package func rest(of pattern: ChannelPattern) -> SubscriptionItem {
        SubscriptionItem(pattern, replay: point, resumedAfter: position)
    }
}

/// How far a session has come since that was last written down.
package struct SessionProgress: Hashable, Sendable {
    /// A part of the past has arrived: what is behind `after`, up to `through`.
    package struct Replayed: Hashable, Sendable {
        package let pattern: ChannelPattern
        package let after: UInt64
        package let through: UInt64
        /// Where only what is retained was asked for, the part that it was: of a history that another part asks for it says
        /// nothing.
        package let retainedPart: Int64?

        /// A part of what a pattern's subscriber asked for.
        package init(_ pattern: ChannelPattern, after: UInt64, through: UInt64, retainedPart: Int64? = nil) {
            self.pattern = pattern
            self.after = after
            self.through = through
            self.retainedPart = retainedPart
        }
    }
    package let clientID: String
    /// Up to where in the log its client is known to have everything that was live.
    package let cursor: UInt64
    package let replayed: [Replayed]

    /// The progress of a session.
    package init(_ clientID: String, cursor: UInt64, replayed: [Replayed] = []) {
        self.clientID = clientID
        self.cursor = cursor
        self.replayed = replayed
    }
}

/// What has been published is read.
extension Router {
    /// Asks for the retained message of a channel; the answer is a `retained`.
    package mutating func readRetained(
        of channel: ChannelName, for connection: ConnectionID, caller: Caller? = nil, now: Moment,
        into outbox: inout Outbox
    ) {
        if rules != nil, let refusal = refusal(of: caller, .subscribe, ChannelPattern(channel), now: now) {
            return outbox.append(.retained(connection, .failure(refusal)))
        }
        guard !storeIsBusy else {
            return outbox.append(.retained(connection, .failure(.tooMany("operations"))))
        }
        submit(.readRetained(connection), for: connection, to: &outbox) {
            .readRetained($0, channel, wall: now.wall)
        }
    }

    /// Asks for a part of a channel's history; the answer is a `history`.
    package mutating func readHistory(
        of channel: ChannelName, _ range: HistoryRange, for connection: ConnectionID, caller: Caller? = nil,
        now: Moment,
        into outbox: inout Outbox
    ) {
        if rules != nil, let refusal = refusal(of: caller, .subscribe, ChannelPattern(channel), now: now) {
            return outbox.append(.history(connection, .failure(refusal)))
        }
        guard !storeIsBusy else {
            return outbox.append(.history(connection, .failure(.tooMany("operations"))))
        }
        let limit = min(max(range.limit, 0), limits.historyMessages)
        submit(.readHistory(connection), for: connection, to: &outbox) {
            .readHistory($0, channel, after: range.after, limit: limit, wall: now.wall)
        }
    }
}

/// Which part of a channel's history is read.
package struct HistoryRange: Sendable, Equatable {
    /// The sequence number behind which it begins; 0 for the beginning.
    package let after: UInt64
    /// How many publications at most.
    package let limit: Int

    /// A part of the history.
    package init(after: UInt64, limit: Int) {
        self.after = after
        self.limit = limit
    }
}

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
        let request = HistoryRequest(
            connection: connection, channel: channel, range: HistoryRange(after: range.after, limit: limit))
        let address = caller?.address
        // Also while it waits: when it is gone, its number is not given to another one before its turn has come.
        begin(for: connection, into: &outbox)
        if let address, !readShares.begin(at: address) { return readShares.queue(.history(request), at: address) }
        read(request, at: address, now: now, into: &outbox)
    }

    /// Reads a part of a history, whose turn has come.
    mutating func read(
        _ request: HistoryRequest, at address: IPAddress?, now: Moment, into outbox: inout Outbox
    ) {
        submit(.readHistory(request.connection, address: address), to: &outbox) {
            .readHistory(
                $0, request.channel, after: request.range.after, limit: request.range.limit, wall: now.wall)
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

/// A request over plain HTTP for a part of a channel's history.
struct HistoryRequest {
    let connection: ConnectionID
    let channel: ChannelName
    let range: HistoryRange
}

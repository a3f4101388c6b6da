/// What a session of CometD's acknowledgement extension has been sent and has not acknowledged.
///
/// Every reply to a connect ends a batch and bears its number; a connect acknowledges all batches up to the one that it
/// names, and has the others sent again. Bounds are those of the session's queue, which gets them back. Where what waits
/// for all sessions is too much, messages are dropped here as they are from queues: what the log has is read again, and
/// the rest told as gaps, if the client turns out not to have them.
///
/// A number says where the client is when it has the batch, in the log or in a replay, so that what it acknowledges
/// still means something when the broker was started again and has forgotten everything else. Batches at the same place
/// are told apart by a counter that goes round.
struct Acknowledgements {
    /// Where a client is.
    enum Place: Equatable {
        /// It has all that was live up to this sequence number.
        case log(UInt64)
        /// It has a replay up to this sequence number; of the replay's own number there are the lower bits.
        case replay(part: Int64, UInt64)

        /// Of a number: a mark for replays, the replay, the counter.
        static let placeBits: Int64 = 12
        static let replayMark: Int64 = 1 << 11
        static let partShift: Int64 = 7
        static let partMask: Int64 = 15
        static let counterMask: Int64 = (1 << 11) - 1
        static let replayCounterMask: Int64 = (1 << 7) - 1

        /// The place that a number stands for; nil for none.
        init?(_ number: Int64) {
            guard number > 0 else { return nil }
            let position = UInt64(number >> Self.placeBits)
            self =
                number & Self.replayMark == 0
                ? .log(position) : .replay(part: number >> Self.partShift & Self.partMask, position)
        }

        /// The first number that stands for it.
        var first: Int64 {
            switch self {
            case .log(let position): Self.shifted(position)
            case .replay(let part, let position):
                Self.shifted(position) | Self.replayMark | (part & Self.partMask) << Self.partShift
            }
        }

        private static func shifted(_ position: UInt64) -> Int64 {
            Int64(truncatingIfNeeded: min(position, UInt64.max >> (placeBits + 1)) << placeBits)
        }

        var isReplay: Bool { if case .replay = self { true } else { false } }

        /// The number behind `last`.
        func number(after last: Int64) -> Int64 {
            let mask = if case .log = self { Self.counterMask } else { Self.replayCounterMask }
            return last & ~mask == first ? first | (last &+ 1) & mask : first
        }

        /// Whether a replay with this number is meant.
        static func means(_ part: Int64, _ replay: Int64) -> Bool { part & partMask == replay & partMask }
    }

    /// What a connect says.
    enum Receipt {
        /// The client is there. What it has not acknowledged is to be sent again, oldest first, or read again if it was a
        /// replay's; without a place nothing new is known.
        case received(Place?, missing: [Batch])
        /// The number is of before the broker was started again.
        case restored(Place)
    }

    /// What came with one reply.
    struct Batch {
        let number: Int64
        let place: Place
        /// What is to be sent again: nothing of a replay.
        var messages: MessageQueue
        /// What is to be read from the log instead, for it had to make room.
        var logged: ClosedRange<UInt64>?
        /// Whether it had something of a replay.
        let isOfReplay: Bool
    }

    private var lastBatch: Int64
    private var unacknowledged: [Batch] = []
    private var isRestored: Bool

    /// The weight of the messages that may have to be sent again.
    var byteCount: Int { unacknowledged.reduce(0) { $0 + $1.messages.byteCount } }

    /// Begins at a place in the log, or goes on there after a restart.
    init(position: UInt64, isRestored: Bool = false) {
        lastBatch = Place.log(position).first
        self.isRestored = isRestored
    }

    /// A connect names the last batch that the client has; none, or -1, if it has not got any.
    mutating func receive(_ batch: Int64?) -> Receipt {
        if isRestored {
            isRestored = false
            if let batch, let place = Place(batch) {
                // What comes now must not bear a number that the client has seen.
                lastBatch = batch
                return .restored(place)
            }
        }
        let last = unacknowledged.lastIndex { $0.number == batch }
        let place = last.map { unacknowledged[$0].place }
        let missing = Array(unacknowledged[(last.map { $0 + 1 } ?? 0)...])
        unacknowledged.removeAll()
        return .received(place, missing: missing)
    }

    /// A reply carries these messages, with which the client is at a place; its batch's number.
    mutating func send(_ messages: [Publication], place: Place) -> Int64 {
        lastBatch = place.number(after: lastBatch)
        unacknowledged.append(
            Batch(
                number: lastBatch, place: place, messages: MessageQueue(place.isReplay ? [] : messages),
                isOfReplay: place.isReplay && !messages.isEmpty))
        return lastBatch
    }

    /// Drops the oldest message; false if there is none.
    mutating func dropFirst() -> Bool {
        guard let oldest = unacknowledged.firstIndex(where: { $0.messages.count > 0 }) else { return false }
        if let logged = unacknowledged[oldest].messages.dropFirst() {
            unacknowledged[oldest].logged = Gap.hull(unacknowledged[oldest].logged, logged)
        }
        return true
    }
}

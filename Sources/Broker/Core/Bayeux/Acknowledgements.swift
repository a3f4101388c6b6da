/// What a session of CometD's acknowledgement extension has been sent and has not acknowledged.
///
/// Every reply to a connect ends a batch and bears its number; a connect acknowledges all batches up to the one that it
/// names, and has the others sent again. Bounds are those of the session's queue, which gets them back.
///
/// A number says where in the log the client is when it has the batch, so that what it acknowledges still means
/// something when the broker was started again and has forgotten everything else.
struct Acknowledgements {
    /// The lower bits of a number count the batches at one place in the log.
    private static let counterBits = 12

    /// The number of the last batch.
    private var lastBatch: Int64
    private var unacknowledged: [(batch: Int64, messages: [Publication])] = []

    /// Begins at a place in the log.
    init(position: UInt64) {
        lastBatch = Self.first(at: position)
    }

    private static func first(at position: UInt64) -> Int64 {
        Int64(truncatingIfNeeded: min(position, UInt64.max >> (counterBits + 1)) << counterBits)
    }

    /// Where in the log a client is that has a batch.
    static func position(of batch: Int64) -> UInt64 { batch > 0 ? UInt64(batch) >> counterBits : 0 }

    /// The client has everything up to `batch`; what it has not is returned, oldest first, to be sent again. Nil for a
    /// batch that was never sent.
    mutating func receive(_ batch: Int64) -> [Publication]? {
        guard batch <= lastBatch else { return nil }
        let missing = unacknowledged.filter { $0.batch > batch }.flatMap(\.messages)
        unacknowledged.removeAll()
        return missing
    }

    /// A reply carries these messages, with which the client has everything up to `position`; its batch's number.
    mutating func send(_ messages: [Publication], position: UInt64) -> Int64 {
        lastBatch = max(lastBatch + 1, Self.first(at: position))
        if !messages.isEmpty { unacknowledged.append((lastBatch, messages)) }
        return lastBatch
    }

    /// Goes on behind a batch of before the broker was started again, which the client acknowledges.
    mutating func resume(after batch: Int64) {
        lastBatch = max(lastBatch, batch)
    }

    /// The first publication that is not acknowledged.
    var firstSequence: UInt64? { unacknowledged.lazy.flatMap(\.messages).compactMap(\.sequence).first }
}

/// What a session of CometD's acknowledgement extension has been sent and has not acknowledged.
///
/// Every reply to a connect ends a batch and bears its number; a connect acknowledges all batches up to the one that it
/// names, and has the others sent again. Bounds are those of the session's queue, which gets them back.
struct Acknowledgements {
    /// The number of the last batch.
    private(set) var lastBatch: Int64 = 0
    private var unacknowledged: [(batch: Int64, messages: [Publication])] = []

    /// The client has everything up to `batch`; what it has not is returned, oldest first, to be sent again.
    mutating func receive(_ batch: Int64) -> [Publication] {
        let missing = unacknowledged.filter { $0.batch > batch }.flatMap(\.messages)
        unacknowledged.removeAll()
        return missing
    }

    /// A reply carries these messages; its batch's number.
    mutating func send(_ messages: [Publication]) -> Int64 {
        lastBatch += 1
        if !messages.isEmpty { unacknowledged.append((lastBatch, messages)) }
        return lastBatch
    }
}

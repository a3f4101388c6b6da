/// Messages that wait for a session which has no connection to write to; bounded in number and bytes.
struct MessageQueue {
    private var messages: [Publication] = []
    private var first = 0
    private(set) var byteCount = 0
    /// How many messages had to make room for newer ones.
    private(set) var droppedCount = 0

    var isEmpty: Bool { first == messages.count }
    var count: Int { messages.count - first }

    /// Appends a message; the oldest ones are dropped while a bound is exceeded, the new one never.
    mutating func append(_ publication: Publication, within limits: Limits) {
        messages.append(publication)
        byteCount += publication.json.count
        while count > 1, count > limits.queuedMessages || byteCount > limits.queuedBytes {
            byteCount -= messages[first].json.count
            first += 1
            droppedCount += 1
        }
        if first > messages.count / 2 {
            messages.removeFirst(first)
            first = 0
        }
    }

    /// Removes all messages, in order.
    mutating func takeAll() -> ArraySlice<Publication> {
        defer { self = MessageQueue() }
        return messages[first...]
    }
}

/// What the connects of one connection's batches have brought in a turn of the loop, in bytes.
///
/// All of it is in memory at once before the first byte of it leaves, and connects are small: a batch may hold a thousand
/// of them, each of which has a whole queue sent, or sent again. A value: it holds nothing while no batch is worked on
/// and nothing was brought.
struct PushBudget {
    private var payer: ConnectionID?
    private var spent: [ConnectionID: Int] = [:]

    /// A batch of this connection is being worked on.
    mutating func begin(_ connection: ConnectionID) { payer = connection }

    /// The batch is through.
    mutating func end() { payer = nil }

    /// Whether the connection whose batch is being worked on has had as much as this, or more.
    func isSpent(_ limit: Int) -> Bool {
        guard let payer, !spent.isEmpty, let bytes = spent[payer] else { return false }
        return bytes >= limit
    }

    /// Messages go out because of the batch that is being worked on, if there is one.
    mutating func spend(_ messages: [Publication]) {
        guard let payer, !messages.isEmpty else { return }
        spent[payer, default: 0] += messages.reduce(0) { $0 + $1.json.count }
    }

    /// The turn ends.
    mutating func reset() {
        if !spent.isEmpty { spent.removeAll() }
    }
}

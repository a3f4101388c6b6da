/// Who may look for a part of the past, and who waits for that: the store may have to go through all that is kept, and has
/// few threads for it. Each address has a few of these reads under way; its other sessions and requests wait in a line.
struct ReadShares {
    /// Who waits.
    enum Reader {
        /// A session, by its client id; it may have ended since, or gone to another line.
        case session(String)
        /// A request for a part of a history; its connection may be gone since.
        case history(HistoryRequest)
    }
    /// So many reads of one address are under way at most.
    private static let readsPerAddress = 4

    private var underWay = AddressTally()
    private var lines: [IPAddress: ArraySlice<Reader>] = [:]

    /// Nobody reads.
    init() {}

    /// Whether one more read of an address may begin; then it has, until `end`.
    mutating func begin(at address: IPAddress) -> Bool {
        guard underWay[address] < Self.readsPerAddress else { return false }
        underWay.add(1, to: address)
        return true
    }

    /// Puts somebody at the end of an address's line.
    mutating func queue(_ reader: Reader, at address: IPAddress) {
        lines[address.neighbourhood, default: []].append(reader)
    }

    /// A read of an address has ended: those whom `next` gives may begin.
    mutating func end(at address: IPAddress) {
        underWay.remove(1, from: address)
    }

    /// Takes who has waited for longest; nil when nobody waits, or no other may begin now.
    mutating func next(at address: IPAddress) -> Reader? {
        guard underWay[address] < Self.readsPerAddress else { return nil }
        let address = address.neighbourhood
        if let reader = lines[address]?.popFirst() { return reader }
        lines[address] = nil
        return nil
    }
}

/// Who may look for a part of the past, and who waits for that: the store may have to go through all that is kept, and has
/// few threads for it. Each address has a few of these reads under way; its other sessions wait in a line.
struct ReadShares {
    /// So many reads of one address are under way at most.
    private static let readsPerAddress = 4

    private var underWay = AddressTally()
    /// Client ids, also of sessions that have ended since.
    private var lines: [IPAddress: ArraySlice<String>] = [:]

    /// Nobody reads.
    init() {}

    /// Whether one more read of an address may begin; then it has, until `end`.
    mutating func begin(at address: IPAddress) -> Bool {
        guard underWay[address] < Self.readsPerAddress else { return false }
        underWay.add(1, to: address)
        return true
    }

    /// Puts a session at the end of its address's line.
    mutating func queue(_ clientID: String, at address: IPAddress) {
        lines[address.neighbourhood, default: []].append(clientID)
    }

    /// A read of an address has ended: those whom `next` gives may begin.
    mutating func end(at address: IPAddress) {
        underWay.remove(1, from: address)
    }

    /// Takes who has waited for longest; nil when nobody waits, or no other may begin now.
    mutating func next(at address: IPAddress) -> String? {
        guard underWay[address] < Self.readsPerAddress else { return nil }
        let address = address.neighbourhood
        if let clientID = lines[address]?.popFirst() { return clientID }
        lines[address] = nil
        return nil
    }
}

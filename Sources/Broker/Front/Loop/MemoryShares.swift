import BrokerCore

/// Memory that peers have an event loop keep, in bytes, with a bound for each address and one in all: answers that they take
/// slowly, messages that they send slowly. A little of each now and then is no fault of one connection; of many it is.
struct MemoryShares {
    /// Less than this does not count.
    private let leastBytes: Int
    private let bytesInAll: Int
    /// What one address may have: a few of the largest that there are, and never all.
    private let bytesPerAddress: Int
    /// What is kept, of all addresses.
    private(set) var byteCount = 0
    private var shares = AddressTally()

    init(bytesInAll: Int, from leastBytes: Int) {
        self.leastBytes = leastBytes
        self.bytesInAll = bytesInAll
        bytesPerAddress = min(32 << 20, bytesInAll / 4)
    }

    /// Whether there is room for so much more; nil is who is not limited. An address always has room for one thing, as far
    /// as there is any.
    func hasRoom(for count: Int, of address: IPAddress?) -> Bool {
        if count < leastBytes || byteCount == 0 { return true }
        if let address, case let share = shares[address], share > 0, share + count > bytesPerAddress { return false }
        return byteCount + count <= bytesInAll
    }

    /// So much more is kept.
    mutating func add(_ count: Int, of address: IPAddress?) {
        guard count >= leastBytes else { return }
        byteCount += count
        if let address { shares.add(count, to: address) }
    }

    /// It is kept no longer.
    mutating func remove(_ count: Int, of address: IPAddress?) {
        guard count >= leastBytes else { return }
        byteCount -= count
        if let address { shares.remove(count, from: address) }
    }
}

import BrokerCore

/// Large answers to requests that their peers have not taken yet, in bytes: a short request brings megabytes, which stay in
/// memory as long as whoever has asked takes a little of them now and then.
struct UntakenAnswers {
    /// Smaller ones do not count.
    private static let leastBytes = 64 << 10
    private let bytesInAll: Int
    /// What one address may have: a few of the largest that there are, and never all.
    private let bytesPerAddress: Int
    private var byteCount = 0
    private var shares = AddressTally()

    init(bytesInAll: Int) {
        self.bytesInAll = bytesInAll
        bytesPerAddress = min(32 << 20, bytesInAll / 4)
    }

    /// Whether one more may wait; nil is who is not limited.
    func hasRoom(for count: Int, of address: IPAddress?) -> Bool {
        if count < Self.leastBytes || byteCount == 0 { return true }
        if let address, shares[address] + count > bytesPerAddress { return false }
        return byteCount + count <= bytesInAll
    }

    /// One begins to wait.
    mutating func add(_ count: Int, of address: IPAddress?) {
        guard count >= Self.leastBytes else { return }
        byteCount += count
        if let address { shares.add(count, to: address) }
    }

    /// One is taken, or its connection is gone.
    mutating func remove(_ count: Int, of address: IPAddress?) {
        guard count >= Self.leastBytes else { return }
        byteCount -= count
        if let address { shares.remove(count, from: address) }
    }
}

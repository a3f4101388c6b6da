/// How much of something each address has; one that has none takes no memory.
package struct AddressTally: Sendable {
    private var counts: [IPAddress: Int] = [:]

    /// Nobody has any.
    package init() {}

    /// Addresses that have some.
    package var addressCount: Int { counts.count }

    /// How much the address has, together with its neighbours.
    package subscript(_ address: IPAddress) -> Int { counts[address.neighbourhood, default: 0] }

    /// It has so much more.
    package mutating func add(_ count: Int, to address: IPAddress) {
        counts[address.neighbourhood, default: 0] += count
    }

    /// It has so much less, and never less than nothing.
    package mutating func remove(_ count: Int, from address: IPAddress) {
        let address = address.neighbourhood
        guard let known = counts[address] else { return }
        counts[address] = known > count ? known - count : nil
    }
}

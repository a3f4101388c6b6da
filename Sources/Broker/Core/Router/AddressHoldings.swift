/// How many sessions clients have, and how many subscriptions those have or have asked for: in all, and at each neighbourhood
/// of addresses.
struct AddressHoldings {
    private struct Holding: Equatable {
        var sessions = 0
        var subscriptions = 0
    }
    private var holdings: [IPAddress: Holding] = [:]
    /// Those of clients that are not limited, too.
    private(set) var subscriptions = 0

    /// Sessions and subscriptions come, or go if the numbers are negative, of clients at an address; nil where that does not
    /// count.
    mutating func add(sessions: Int = 0, subscriptions: Int, at address: IPAddress?) {
        self.subscriptions += subscriptions
        guard let place = address?.neighbourhood else { return }
        var holding = holdings[place, default: Holding()]
        holding.sessions += sessions
        holding.subscriptions += subscriptions
        holdings[place] = holding == Holding() ? nil : holding
    }

    /// Sessions of clients at an address.
    func sessions(at address: IPAddress) -> Int { holdings[address.neighbourhood]?.sessions ?? 0 }

    /// The subscriptions of these.
    func subscriptions(at address: IPAddress) -> Int { holdings[address.neighbourhood]?.subscriptions ?? 0 }
}

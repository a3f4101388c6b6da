/// What each address has: its connections, and how fast it makes new ones and sends requests. Pure: time comes in.
package struct AddressLedger: Sendable {
    /// What becomes of a connection.
    package enum Verdict: Equatable, Sendable {
        /// It is let in.
        case admitted
        /// Its first request is to be told why not, and after how many seconds to come again.
        case refused(Refusal, retryAfter: Int)
        /// It is to be closed at once: even to tell all of those would be too much. It is not counted.
        case closed(Refusal)
    }
    /// What there is too much of.
    package enum Refusal: Equatable, Sendable {
        case connections
        case rate
    }

    /// Connections of one address beyond which one more is refused.
    package var connectionsPerAddress: Int
    package var rates: RateLimits
    private var counts = AddressTally()
    private var connections: BucketTable<IPAddress>
    private var refusals: BucketTable<IPAddress>
    private var requests: BucketTable<IPAddress>

    /// Connections that were refused because of their number and because of their rate, and requests.
    package private(set) var refusedByCount: UInt64 = 0
    package private(set) var refusedByRate: UInt64 = 0
    package private(set) var refusedRequests: UInt64 = 0

    /// A ledger without entries.
    package init(connectionsPerAddress: Int, rates: RateLimits) {
        self.connectionsPerAddress = connectionsPerAddress
        self.rates = rates
        connections = BucketTable(capacity: rates.rememberedCount)
        refusals = BucketTable(capacity: rates.rememberedCount)
        requests = BucketTable(capacity: rates.rememberedCount)
    }

    /// Addresses that have connections.
    package var addressCount: Int { counts.addressCount }

    /// Somebody connects, or, on a connection that is not new, has something open for as long as an answer takes: that
    /// counts for the number alone, not for the rate. Unless the verdict is `closed`, `leave` is to be called when it is
    /// gone.
    package mutating func enter(_ address: IPAddress, isNew: Bool = true, now: UInt64) -> Verdict {
        let address = address.neighbourhood
        let count = counts[address]
        guard count < connectionsPerAddress else {
            refusedByCount += 1
            // A few more are told.
            guard count - connectionsPerAddress < min(max(connectionsPerAddress, 4), 64) else {
                return .closed(.connections)
            }
            counts.add(1, to: address)
            return .refused(.connections, retryAfter: 1)
        }
        if isNew, let rate = rates.connectionsPerAddress {
            if let wait = connections.take(from: address, of: rate, now: now) {
                refusedByRate += 1
                // Not more of these than of the others.
                if refusals.take(from: address, of: rate, now: now) != nil { return .closed(.rate) }
                counts.add(1, to: address)
                return .refused(.rate, retryAfter: Self.seconds(wait))
            }
        }
        counts.add(1, to: address)
        return .admitted
    }

    /// A connection is gone that was counted.
    package mutating func leave(_ address: IPAddress) {
        guard counts[address] > 0 else {
            preconditionFailure("Cannot take away a connection of \(address) when it has none")
        }
        counts.remove(1, from: address)
    }

    /// Somebody sends a request: nil, or after how many seconds they may.
    package mutating func request(from address: IPAddress, now: UInt64) -> Int? {
        guard let rate = rates.requestsPerAddress,
            let wait = requests.take(from: address.neighbourhood, of: rate, now: now)
        else { return nil }
        refusedRequests += 1
        return Self.seconds(wait)
    }

    /// Whole seconds, from 1 on, as `Retry-After` has them.
    static func seconds(_ nanoseconds: UInt64) -> Int { Int(clamping: (nanoseconds + 999_999_999) / 1_000_000_000) }
}

import BrokerCore
import NIOCore

/// What the connections of addresses have to do when the share of their address lets them go on, in the order in which they
/// came.
///
/// There is one timer for all of an address. If each connection had its own, all would wake whenever one of them may go on:
/// the more there are, the more of the loop's time would nobody's share hold.
struct WaitingLines {
    private var lines: [IPAddress: CircularBuffer<() -> Void>] = [:]

    /// Puts something at the end of an address's line; whether that begins with it, and whoever put it there sees to it.
    mutating func append(_ body: @escaping () -> Void, of address: IPAddress) -> Bool {
        let begins = lines[address] == nil
        lines[address, default: []].append(body)
        return begins
    }

    /// Takes what has waited for longest; nil when nothing waits, and the line is over.
    mutating func next(of address: IPAddress) -> (() -> Void)? {
        if let body = lines[address]?.popFirst() { return body }
        lines[address] = nil
        return nil
    }

    mutating func removeAll() {
        lines.removeAll()
    }
}

extension Shard {
    /// Goes on with `body` when an address may have more of this loop's time, in `wait` (ns) or later: behind what waits
    /// for the same already.
    func queue(for address: IPAddress, after wait: UInt64, _ body: @escaping () -> Void) {
        let address = address.neighbourhood
        if waiting.append(body, of: address) { callNext(of: address, after: wait) }
    }

    private func callNext(of address: IPAddress, after wait: UInt64) {
        eventLoop.assumeIsolated().executeNextTurn(after: wait) { [self] in
            let start = SystemClock.monotonic
            while let body = waiting.next(of: address) {
                body()
                let wait = pause(of: address, now: SystemClock.monotonic)
                if wait > 0 || isTurnOver(of: address, since: start) { return callNext(of: address, after: wait) }
            }
        }
    }
}

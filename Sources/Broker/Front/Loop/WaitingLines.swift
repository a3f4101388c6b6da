import BrokerCore
import NIOCore

/// What the connections of addresses have to do when the share of their address lets them go on, in the order in which they
/// came.
///
/// There is one timer for all of an address. If each connection had its own, all would wake whenever one of them may go on:
/// the more there are, the more of the loop's time would nobody's share hold.
struct WaitingLines {
    private var lines: [IPAddress: CircularBuffer<() -> Void>] = [:]

    /// Puts something at the end of an address's line, or before all of it; whether that begins with it, and whoever put it
    /// there sees to it.
    mutating func append(_ body: @escaping () -> Void, of address: IPAddress, isFirst: Bool = false) -> Bool {
        let begins = lines[address] == nil
        if isFirst { lines[address, default: []].prepend(body) } else { lines[address, default: []].append(body) }
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

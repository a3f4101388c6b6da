import BrokerCore
import NIOCore

/// How what has to wait for the share of its address goes on.
extension Shard {
    /// Goes on with `body` when an address may have more of this loop's time, in `wait` (ns) or later: behind what waits
    /// for the same already, or before it.
    func queue(for address: IPAddress, after wait: UInt64, isFirst: Bool = false, _ body: @escaping () -> Void) {
        let address = address.neighbourhood
        if waiting.append(body, of: address, isFirst: isFirst) { callNext(of: address, after: wait) }
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

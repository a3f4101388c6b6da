import BrokerCore

/// How long what an address has sent waits for its share of the loop, and what is counted of it.
extension Shard {
    /// How long what an address has sent has to wait (ns), 0 if it need not. It is counted when its share is used up.
    func delay(of address: IPAddress, now: UInt64) -> UInt64 {
        let wait = work.wait(of: address, now: now)
        if wait > 0 { counters.delayedReads += 1 }
        return pause(of: address, owing: wait, now: now)
    }

    /// How long what an address has sent has to wait (ns), 0 if it need not.
    func pause(of address: IPAddress, now: UInt64) -> UInt64 {
        pause(of: address, owing: work.wait(of: address, now: now), now: now)
    }

    /// The same for one that has to wait so long (ns) for its share.
    private func pause(of address: IPAddress, owing wait: UInt64, now: UInt64) -> UInt64 {
        if wait > 0 { return wait }
        return work.isFull(address) ? WorkShares.slice : work.turnWait(of: address, now: now)
    }

    /// Whether an address that took this loop's time since `start` (ns, monotonic) has to let others have their turn.
    func isTurnOver(of address: IPAddress, since start: UInt64) -> Bool {
        work.isFull(address) || SystemClock.monotonic - start >= WorkShares.slice
    }

    /// Sends something to the router of another loop, which will say what it has cost.
    func post(_ input: RouterInput, to mailbox: Mailbox<RouterInput>) {
        if let payer = input.payer { work.send(input.messageCount, of: payer.address) }
        mailbox.send([input])
    }

    /// Notes that an address has had this loop's time since `start` (ns, monotonic).
    func charge(_ address: IPAddress, since start: UInt64) {
        let now = SystemClock.monotonic
        work.charge(address, now - start, now: now)
    }
}

import Driver
import NIOCore

/// The frames that come, each in its turn, and when none are read.
extension WebSocketHandler {
    /// Frames.
    func take(_ buffer: ByteBuffer) {
        guard !isLingering else { return passOver(buffer.readableBytes) }
        defer { countInput() }
        if isDeflated || payer != nil {
            let isWaiting = !backlog.isEmpty
            backlog.append(buffer)
            return isWaiting ? () : takeTurn()
        }
        var events = DriverEvents(handler: self)
        driver.receive(buffer.readableBytesSpan, into: &events)
        hear(events)
        act(on: events)
        shard.relieve()
    }

    /// Takes messages one by one: what comes of a few kilobytes must not keep the loop from others for longer than what comes
    /// of a megabyte, nor what an address has sent for longer than a slice of its share. Behind that much the rest waits for
    /// the next turn, and while it is not read from, whatever the reason, nothing of what was read is taken either.
    private func takeTurn() {
        let start = payer == nil ? 0 : SystemClock.monotonic
        if let payer, case let wait = shard.delay(of: payer, now: start), wait > 0 { return waitForTurn(after: wait) }
        while !backlog.isEmpty, !isHeld {
            guard !isLingering else {
                passOver(backlog.byteCount)
                backlog.clear()
                break
            }
            var events = DriverEvents(handler: self)
            backlog.read { driver.receiveNext($0.bytes, into: &events) }
            backlog.count(events.messageBytes)
            hear(events)
            // Pongs wait for the end of the turn: each by itself would be a piece that waits where they are not taken.
            if events.needsAction || driver.state != .open { act(on: events) }
            if !backlog.isEmpty, isTurnOver(since: start) {
                endTurn(since: start)
                return waitForTurn()
            }
        }
        endTurn(since: start)
        // A connection that waits for its peer keeps no memory.
        if backlog.isEmpty { backlog.clear() }
        shard.relieve()
        resume(.turn)
    }

    /// Whether what it has sent waits for something else than its turn.
    private var isHeld: Bool {
        // Nobody tells one that is sent away when that is over.
        if let slot, !isSentAway, shard.throttles(slot) { return true }
        return pauses.count > (pauses.contains(.turn) ? 1 : 0)
    }

    private func isTurnOver(since start: UInt64) -> Bool {
        backlog.isTurnOver || payer.map { shard.isTurnOver(of: $0, since: start) } ?? false
    }

    /// Writes what answers the frames of the turn, and charges for both.
    private func endTurn(since start: UInt64) {
        writeOutput()
        if let payer { shard.charge(payer, since: start) }
    }

    private func waitForTurn(after wait: UInt64 = 0) {
        shard.relieve()
        scheduleTurn(after: wait)
    }

    private func scheduleTurn(after wait: UInt64 = 0) {
        backlog.beginTurn()
        pause(.turn)
        // A line may be long, and what has closed is not to be kept by it.
        let goOn = { [weak self] in
            guard let self, self.context != nil else { return }
            self.takeTurn()
            self.countInput()
        }
        if let payer, wait > 0 { return shard.queue(for: payer, after: wait, goOn) }
        shard.eventLoop.assumeIsolated().executeNextTurn(goOn)
    }

    /// Counts what has come and is not taken in, and ends the connection when that is more than there is room for.
    private func countInput() {
        guard !noteInput(), driver.state == .open else { return }
        refuseInput()
        // What is refused is not kept any more.
        _ = noteInput()
    }

    private func noteInput() -> Bool {
        shard.unfinished.note(driver.reservedByteCount + backlog.byteCount, of: self, from: payer)
    }

    /// Reads nothing more from the peer.
    func pause(_ reason: PauseReason) {
        guard pauses.insert(reason).inserted, pauses.count == 1 else { return }
        _ = context?.channel.setOption(.autoRead, value: false)
    }

    /// Reads on, if there is no other reason not to.
    func resume(_ reason: PauseReason) {
        guard pauses.remove(reason) != nil, pauses.isEmpty else { return }
        // What was read before comes first.
        if !backlog.isEmpty { return scheduleTurn() }
        _ = context?.channel.setOption(.autoRead, value: true)
    }
}

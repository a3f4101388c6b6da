import BrokerCore

/// From the router to the connections.
extension Shard {
    /// What the router of another loop wants done.
    func carryOut(_ commands: [ShardCommand]) {
        for command in commands {
            carryOut(command)
            relieve()
        }
    }

    func carryOut(_ command: ShardCommand) {
        switch command {
        case .reply(let slot, let objects):
            reply(objects.span.bytes, to: slot)
        case .deliver(let publication, let recipients, let acceptedAt):
            deliver(publication, to: recipients, acceptedAt: acceptedAt)
        case .push(let publication, let slot):
            switch slots[slot] {
            case .socket, .stream: push(publication, to: slot)
            case .exchange(let exchange):
                counters.requests.deliveredCount += 1
                exchange.append(message: publication)
            case .free, .gone: break
            }
        case .finish(let slot):
            complete(slot) { $0.finish() }
        case .receipt(let slot, let result):
            complete(slot) { $0.finish(result) }
        case .retained(let slot, let result):
            complete(slot) { $0.finish(result) }
        case .history(let slot, let result):
            complete(slot) { $0.finish(result) }
        case .report(let slot, let answer):
            complete(slot) { $0.finish(answer) }
        case .open(let slot):
            guard case .stream(let stream) = slots[slot] else { return }
            opening.append(stream)
            scheduleFlush()
        case .refuse(let slot, let error):
            guard case .stream(let stream) = slots[slot] else { return }
            slots[slot] = .gone
            released.append(slot)
            answered.append { stream.refuse(error) }
            scheduleFlush()
        case .close(let slot):
            switch slots[slot] {
            case .socket(let socket): socket.closeAfterFlush()
            case .stream(let stream): answered.append { stream.close() }
            case .exchange, .free, .gone: return
            }
            scheduleFlush()
        case .cut(let slot):
            answered.append { [self] in cut(slot) }
            scheduleFlush()
        case .settle(let address, let count, let notBefore):
            work.settle(address, for: count, notBefore: notBefore, now: SystemClock.monotonic)
        case .pause(let slot):
            if case .socket(let socket) = slots[slot] { socket.pause(.store) }
        case .resume(let slot):
            if case .socket(let socket) = slots[slot] { answered.append { socket.resume(.store) } }
            scheduleFlush()
        case .readOn:
            answered.append { [self] in readOn() }
            scheduleFlush()
        case .awaitDrain(let slot):
            draining.append(slot)
            scheduleFlush()
        case .release(let slot):
            guard case .gone = slots[slot] else {
                preconditionFailure("Cannot release a slot when it is in use")
            }
            released.append(slot)
            scheduleFlush()
        }
    }

    private func cut(_ slot: UInt32) {
        switch slots[slot] {
        case .socket(let socket): socket.cut()
        case .stream(let stream): stream.close()
        case .exchange, .free, .gone: break
        }
    }

    /// A request is answered: its slot is free, unless its client gave up first and the router will release it.
    private func complete(_ slot: UInt32, _ finish: @escaping (RouterExchange) -> Void) {
        guard case .exchange(let exchange) = slots[slot] else { return }
        slots[slot] = .gone
        released.append(slot)
        answered.append { finish(exchange) }
        scheduleFlush()
    }
}

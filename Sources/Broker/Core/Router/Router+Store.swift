/// What the router waits for from the store, and what it does when the outcome comes.
extension Router {
    /// Outcomes of the store, in its order.
    package mutating func receive(_ outcomes: [StoreOutcome], now: Moment, into outbox: inout Outbox) {
        for outcome in outcomes {
            guard let operation = work.finish(operation: outcome.ticket) else {
                preconditionFailure("Cannot receive an outcome when nothing waits for it")
            }
            if case .subscribe(let change) = operation { releaseClaim(of: change) }
            finish(operation, outcome, now: now, into: &outbox)
            if let address = operation.readingAddress { endRead(at: address, now: now, into: &outbox) }
            if let connection = operation.connection { settle(connection, into: &outbox) }
        }
    }

    private mutating func finish(
        _ operation: PendingOperation, _ outcome: StoreOutcome, now: Moment, into outbox: inout Outbox
    ) {
        switch (operation, outcome) {
        case (.publish(let publisher, let draft), .published(_, let sequence)):
            lastSequence = sequence
            counters.acknowledge(draft.durability, after: now.wall - draft.publishedAt)
            finish(publisher, draft, sequence: sequence, into: &outbox)
        case (.publish(let publisher, let draft), .failed(_, let error)):
            refuse(publisher, .publishFailed(draft.channel.text, error), into: &outbox)
        case (.pass(let publisher, let passing?), _):
            finish(.bayeux(publisher), passing, into: &outbox)
        case (.pass(let publisher, nil), _):
            finishRepeated(publisher, into: &outbox)
        case (.subscribe(let change), .subscribed(_, let through, let hasPast)):
            finish(change, through: through, hasPast: hasPast, now: now, into: &outbox)
        case (.unsubscribe(let change), .done):
            finishRemoval(change, now: now, into: &outbox)
        case (.subscribe(let change), .failed(_, let error)):
            refuse(change, error, now: now, into: &outbox)
        case (.unsubscribe(let change), .failed(_, let error)):
            refuseRemoval(change, error, into: &outbox)
        case (.catchUp(let clientID, _), .backlog(_, let backlog)):
            finishRead(clientID: clientID, backlog, now: now, into: &outbox)
        case (.settle(let clientID, let part), _):
            settle(clientID, part: part, now: now, into: &outbox)
        case (.join(let clientID), _):
            finishJoin(of: clientID, now: now, into: &outbox)
        case (.catchUp(let clientID, _), .failed):
            finishRead(clientID: clientID, nil, now: now, into: &outbox)
        case (.readRetained(let connection), .backlog(_, let backlog)):
            guard isOpen(connection) else { return }
            outbox.append(.retained(connection, .success(backlog.entries.first?.publication)))
        case (.readRetained(let connection), .failed(_, let error)):
            guard isOpen(connection) else { return }
            outbox.append(.retained(connection, .failure(.storeFailed(error))))
        case (.readHistory(let connection, _), .backlog(_, let backlog)):
            guard isOpen(connection) else { return }
            outbox.append(.history(connection, .success(publications(of: backlog))))
        case (.readHistory(let connection, _), .failed(_, let error)):
            guard isOpen(connection) else { return }
            outbox.append(.history(connection, .failure(.storeFailed(error))))
        case (.keep(let session, let patterns), .subscribed):
            session.storage = .stored
            session.unsaved.subtract(patterns)
        case (.keep(let session, _), .failed):
            if session.storage == .told, session.subscribeCount == 0 { session.storage = .unknown }
        case (.probe, .failed(_, let error)):
            outbox.append(.probed(error))
        case (.probe, _):
            outbox.append(.probed(nil))
        case (.note, _):
            break
        default:
            preconditionFailure("Cannot have this outcome when that was the operation")
        }
    }

    /// Whether something that this connection sent before is still in the store: what follows must not overtake it.
    func mustQueueBehindStore(_ connection: ConnectionID) -> Bool {
        work.isUnderWay(for: connection)
    }

    /// Asks whether the store can write; the answer is a `probed`.
    package mutating func probeStore(into outbox: inout Outbox) {
        submit(.probe, to: &outbox) { .probe($0) }
    }

    /// Whether as much is under way in the store as may be: what comes now is refused.
    var storeIsBusy: Bool { work.storeIsBusy }

    /// Hands an operation to the store and remembers what it is for.
    mutating func submit(
        _ operation: PendingOperation, for connection: ConnectionID? = nil, to outbox: inout Outbox,
        _ make: (StoreTicket) -> StoreOperation
    ) {
        outbox.append(.store(make(work.begin(operation))))
        if let connection { begin(for: connection, into: &outbox) }
    }

    /// One more operation of a connection, or call of a service, is under way. With too many nothing more is read from it.
    mutating func begin(for connection: ConnectionID, into outbox: inout Outbox) {
        if work.add(for: connection) { outbox.append(.pause(connection)) }
    }

    /// One operation of a connection is through; a connection that is gone is released with the last one.
    mutating func settle(_ connection: ConnectionID, into outbox: inout Outbox) {
        switch work.settle(connection) {
        case .resume: outbox.append(.resume(connection))
        case .release: outbox.append(.release(connection))
        case .none: break
        }
    }
}

/// What the router waits for from the store, and what it does when the outcome comes.
extension Router {
    /// Outcomes of the store, in its order.
    package mutating func receive(_ outcomes: [StoreOutcome], now: Moment, into outbox: inout Outbox) {
        for outcome in outcomes {
            guard let operation = pending.removeValue(forKey: outcome.ticket) else {
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
            pendingBytes -= draft.data.count
            lastSequence = sequence
            counters.acknowledge(draft.durability, after: now.wall - draft.publishedAt)
            finish(publisher, draft, sequence: sequence, into: &outbox)
        case (.publish(let publisher, let draft), .failed(_, let error)):
            pendingBytes -= draft.data.count
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
        !pendingCounts.isEmpty && pendingCounts[connection] != nil
    }

    /// Asks whether the store can write; the answer is a `probed`.
    package mutating func probeStore(into outbox: inout Outbox) {
        submit(.probe, to: &outbox) { .probe($0) }
    }

    /// Whether as much is under way in the store as may be: what comes now is refused.
    var storeIsBusy: Bool {
        pending.count >= limits.pendingStoreOperations || pendingBytes >= limits.pendingStoreBytes
    }

    /// Hands an operation to the store and remembers what it is for.
    mutating func submit(
        _ operation: PendingOperation, for connection: ConnectionID? = nil, to outbox: inout Outbox,
        _ make: (StoreTicket) -> StoreOperation
    ) {
        lastTicket += 1
        pending[lastTicket] = operation
        outbox.append(.store(make(lastTicket)))
        if let connection { begin(for: connection, into: &outbox) }
    }

    /// One more operation of a connection, or call of a service, is under way. With too many nothing more is read from it.
    mutating func begin(for connection: ConnectionID, into outbox: inout Outbox) {
        let count = pendingCounts[connection, default: 0] + 1
        pendingCounts[connection] = count
        guard count >= limits.pendingOperationsPerConnection, isOpen(connection),
            pausedConnections.insert(connection).inserted
        else { return }
        outbox.append(.pause(connection))
    }

    /// One operation of a connection is through; a connection that is gone is released with the last one.
    mutating func settle(_ connection: ConnectionID, into outbox: inout Outbox) {
        guard let count = pendingCounts[connection] else { return }
        if !pausedConnections.isEmpty, count <= max(limits.pendingOperationsPerConnection / 2, 1),
            pausedConnections.remove(connection) != nil, isOpen(connection)
        {
            outbox.append(.resume(connection))
        }
        guard count == 1 else {
            pendingCounts[connection] = count - 1
            return
        }
        pendingCounts[connection] = nil
        if closedConnections.remove(connection) != nil { outbox.append(.release(connection)) }
    }
}

/// What the router does when the store is through with an operation.
enum PendingOperation {
    case publish(Publisher, PublicationDraft)
    /// A publication that is not stored, behind others that are; without one, only its publisher is told.
    case pass(BayeuxPublisher, PassingPublication?)
    case subscribe(SubscriptionChange)
    case unsubscribe(SubscriptionChange)
    /// Something that nobody waits for: sessions that ended or came further.
    case note
    /// Somebody wants to know whether the store can write.
    case probe
    /// The store is told of a session whose publications it is to know again, or of subscriptions that it could not take.
    case keep(Session, [ChannelPattern])
    /// That a client has acknowledged the whole of a replay is being written down.
    case settle(clientID: String, part: Int64)
    /// That replays of a session have become one is being written down.
    case join(clientID: String)
    /// A session's part of the past is being read. Where it is found, that counts for an address, if there is one.
    case catchUp(clientID: String, address: IPAddress?)
    case readRetained(ConnectionID)
    /// A part of a history is being read. That counts for an address, if there is one.
    case readHistory(ConnectionID, address: IPAddress?)

    /// Whether it is a publication that is to be stored.
    var isPublication: Bool { if case .publish = self { true } else { false } }

    /// The address that has it as one of its reads (`ReadShares`).
    var readingAddress: IPAddress? {
        switch self {
        case .catchUp(_, let address), .readHistory(_, let address): address
        case .publish, .pass, .subscribe, .unsubscribe, .note, .probe, .keep, .settle, .join, .readRetained: nil
        }
    }

    /// The connection that waits for it.
    var connection: ConnectionID? {
        switch self {
        case .publish(let publisher, _): publisher.connection
        case .pass(let publisher, _): publisher.peer.connection
        case .subscribe(let change), .unsubscribe(let change): change.peer.connection
        case .readRetained(let connection), .readHistory(let connection, _): connection
        case .note, .probe, .keep, .settle, .join, .catchUp: nil
        }
    }
}

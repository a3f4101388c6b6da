/// What is under way in the store and in services, for which connections, and the back-pressure that follows.
///
/// - A connection with `Limits.pendingOperationsPerConnection` under way is not read from until half of them are through.
/// - The number of a connection that is gone is given to no other one until all is through that was under way for it.
struct PendingWork {
    /// What becomes of a connection when something of it is through.
    enum Settlement {
        case none
        /// It is read from again.
        case resume
        /// It is gone, and this was the last that was under way for it.
        case release
    }

    private let limits: Limits
    /// Operations and calls are numbered together.
    private var lastTicket: UInt64 = 0
    private var operations: [StoreTicket: PendingOperation] = [:]
    /// The weight of the publications among them.
    private var publicationBytes = 0
    /// Messages to services that are not answered yet, and the weight of what was sent. They take as long as the embedding
    /// program does, and are no reason to refuse what the store would take.
    private var calls: [CallTicket: PendingCall] = [:]
    private var callBytes = 0
    /// How much is under way for each connection that has any.
    private var counts: [ConnectionID: Int] = [:]
    /// Connections that have so much that nothing more is read from them.
    private var paused: Set<ConnectionID> = []
    /// Connections that are gone while the store, or a service, still works for them.
    private var closed: Set<ConnectionID> = []

    /// Nothing is under way.
    init(limits: Limits) { self.limits = limits }

    /// Operations that the store is not through with.
    var operationCount: Int { operations.count }
    /// The publications among them. Linear in `operationCount`.
    var publicationCount: Int { operations.values.count(where: \.isPublication) }

    /// Whether as much is under way in the store as may be.
    var storeIsBusy: Bool {
        operations.count >= limits.pendingStoreOperations || publicationBytes >= limits.pendingStoreBytes
    }

    /// Whether as many calls of services are under way as may be.
    var servicesAreBusy: Bool { calls.count >= limits.pendingCalls || callBytes >= limits.pendingCallBytes }

    /// An operation is handed to the store.
    mutating func begin(_ operation: PendingOperation) -> StoreTicket {
        lastTicket += 1
        publicationBytes += operation.publicationBytes
        operations[lastTicket] = operation
        return lastTicket
    }

    /// The store is through with an operation: which one, nil for one that is not under way.
    mutating func finish(operation ticket: StoreTicket) -> PendingOperation? {
        guard let operation = operations.removeValue(forKey: ticket) else { return nil }
        publicationBytes -= operation.publicationBytes
        return operation
    }

    /// A service is called.
    mutating func begin(_ call: PendingCall) -> CallTicket {
        lastTicket += 1
        calls[lastTicket] = call
        callBytes += call.byteCount
        return lastTicket
    }

    /// A service has answered: which call, nil for one that is not under way.
    mutating func finish(call ticket: CallTicket) -> PendingCall? {
        guard let call = calls.removeValue(forKey: ticket) else { return nil }
        callBytes -= call.byteCount
        return call
    }
}

/// Connections. What is asked for each message is inlined, so that nothing but the field is loaded that it is about.
extension PendingWork {
    /// Whether something is under way for a connection.
    @inline(__always)
    func isUnderWay(for connection: ConnectionID) -> Bool { !counts.isEmpty && counts[connection] != nil }

    /// Whether a connection is gone for which something is under way.
    @inline(__always)
    func isClosed(_ connection: ConnectionID) -> Bool { !closed.isEmpty && closed.contains(connection) }

    /// One thing more is under way for a connection. Whether nothing more is to be read from it from now on.
    mutating func add(for connection: ConnectionID) -> Bool {
        let count = counts[connection, default: 0] + 1
        counts[connection] = count
        guard count >= limits.pendingOperationsPerConnection, !isClosed(connection) else { return false }
        return paused.insert(connection).inserted
    }

    /// A connection waits for what was begun for another one. It is read from all the same.
    mutating func join(_ connection: ConnectionID) {
        counts[connection, default: 0] += 1
    }

    /// One thing less is under way for a connection.
    mutating func settle(_ connection: ConnectionID) -> Settlement {
        guard let count = counts[connection] else { return .none }
        var settlement = Settlement.none
        if !paused.isEmpty, count <= max(limits.pendingOperationsPerConnection / 2, 1),
            paused.remove(connection) != nil, !isClosed(connection)
        {
            settlement = .resume
        }
        guard count == 1 else {
            counts[connection] = count - 1
            return settlement
        }
        counts[connection] = nil
        return closed.remove(connection) == nil ? settlement : .release
    }

    /// A connection is gone. Whether nothing is under way for it.
    mutating func close(_ connection: ConnectionID) -> Bool {
        guard counts[connection] != nil else { return true }
        closed.insert(connection)
        return false
    }
}

package import BrokerCore
import Synchronization

/// A router with everything around it that a broker has, without I/O: a store, clocks that stand still until they are
/// moved, and for each connection the list of what was written to it.
///
/// Slots of connections are handled as an event loop does: free after `release`, or with the end of an HTTP request. An
/// action for a connection that is gone or free is a fault of the router, and ends the test run when the harness goes;
/// so is anything but JSON.
package final class RouterHarness {
    /// What a connection got.
    package enum Event: Equatable, Sendable {
        /// A reply to a message.
        case reply(JSON)
        /// The answer to an empty batch.
        case emptyReply
        /// A publication.
        case push(JSON)
        /// The end of the response to an HTTP request.
        case finish
        /// The broker closes the WebSocket.
        case close
        /// The router is through with a connection that is gone.
        case release
        /// The answer to a publication over plain HTTP.
        case receipt(Result<PublishReceipt, BayeuxError>)
        /// The answer to a request for a retained message.
        case retained(Result<StoredPublication?, BayeuxError>)
        /// The answer to a request for history.
        case history([JSON])
        /// There is no history to be had.
        case noHistory(BayeuxError)
        /// The administrator is answered.
        case report(AdminAnswer)
        /// An event stream begins.
        case open
        /// There will be no event stream.
        case refuse(BayeuxError)
        /// Nothing is read from the connection any more, and then again.
        case pause, resume
        /// The connection is cut off.
        case cut
    }

    /// When the store does what it is asked to do.
    package enum StoreMode: Sendable {
        /// Before the input returns.
        case prompt
        /// Not before `runStore` is called, but for what reads, and cursors.
        case held
        /// Not before `runStore` is called, whatever it is.
        case stopped
        /// Before the input returns, and it fails.
        case failing
    }

    private enum Slot { case free, open(Peer.Kind), gone }

    /// What the clocks say; only `advance` moves them.
    package private(set) var now = Moment(monotonic: 1_000_000_000, wall: 1_700_000_000_000)
    package var storeMode = StoreMode.prompt
    /// Who sends what is sent.
    package var caller: Caller?
    /// Whether connections take at once what is written to them; else `drain` says when.
    package var readsPromptly = true
    private var draining: [ConnectionID] = []
    /// Messages to services that are not answered yet.
    package private(set) var calls: [ServiceCall] = []
    /// What the router said of the store.
    package private(set) var probes: [StoreError?] = []
    /// What was told of publications with a `traceparent`.
    package private(set) var traced: [TracedPublication] = []
    /// What those who watch were told.
    package private(set) var brokerEvents: [BrokerEvent] = []
    package let limits: Limits
    package let policies: ChannelPolicies

    private var router: Router
    private var outbox = Outbox()
    private let store: any Store
    private let box = OutcomeBox()
    private var heldOperations: [StoreOperation] = []
    private var events: [ConnectionID: [Event]] = [:]
    private var slots: [[Slot]]
    private let reusesSlots: Bool
    private var faults: [String] = []

    /// A router with its store. With `reusesSlots` a free slot goes to the next connection, as in the broker; without,
    /// every connection has one of its own, so that tests can look at old ones.
    package init(
        limits: Limits = Limits(), policies: ChannelPolicies = ChannelPolicies(), rules: AccessRules? = nil,
        embedding: Embedding = Embedding(),
        seed: UInt64 = 1, loopCount: Int = 1,
        sessions: [StoredState.Session] = [], recent: [StoredState.Recent] = [],
        store: any Store = MemoryStore(epoch: "log"), reusesSlots: Bool = false
    ) throws {
        self.limits = limits
        self.policies = policies
        self.store = store
        self.reusesSlots = reusesSlots
        slots = Array(repeating: [], count: loopCount)
        var state = try store.open { [box] outcomes in box.append(outcomes) }
        state = StoredState(
            epoch: state.epoch, lastSequence: state.lastSequence, sessions: state.sessions + sessions,
            recent: state.recent + recent)
        router = Router(
            limits: limits, policies: policies, rules: rules, embedding: embedding, state: state,
            loopCount: UInt32(loopCount),
            generator: SeededGenerator(seed: seed), now: now
        )
    }

    deinit {
        store.close()
        precondition(faults.isEmpty, "Cannot write what is no JSON, or to connections that are gone: \(faults)")
    }

    /// Sessions that exist.
    package var sessionCount: Int { router.sessionCount }
    /// Subscriptions of all sessions.
    package var subscriptionCount: Int { router.subscriptionCount }
    /// Those, and what was asked for and is not there yet.
    package var heldSubscriptionCount: Int { router.heldSubscriptionCount }

    /// What the router has counted.
    package var counters: RouterCounters { router.counters }

    /// From now on these are the limits of rates.
    package func set(_ rates: RateLimits) { router.set(rates) }

    /// From now on these rules and revocations hold.
    package func set(_ rules: AccessRules?, revocations: [Revocations.Entry] = []) {
        router.set(rules, revocations: revocations, now: now, into: &outbox)
        carryOut(endingTurn: true)
    }

    /// From now on only tokens of these keys count.
    package func set(_ keys: Set<TokenKeyIdentity>?) {
        router.set(keys, now: now, into: &outbox)
        carryOut(endingTurn: true)
    }

    /// The weight of the messages that wait for sessions.
    package var queuedBytes: Int { router.queuedBytes }

    /// Connections that are gone and not released yet.
    package var unreleasedCount: Int {
        slots.joined().count { if case .gone = $0 { true } else { false } }
    }

    /// A new WebSocket.
    package func socket(loop: Int = 0) -> Peer { add(.socket, loop: loop) }

    /// A new HTTP request.
    package func exchange(loop: Int = 0) -> Peer { add(.exchange, loop: loop) }

    /// A new event stream of a session.
    package func stream(of clientID: String, loop: Int = 0) -> Peer {
        let peer = add(.stream, loop: loop)
        router.openStream(for: clientID, from: peer.connection, caller: caller, now: now, into: &outbox)
        carryOut(endingTurn: true)
        return peer
    }

    /// A new event stream of a channel or pattern.
    package func stream(of pattern: String, replay: ReplayPoint?, loop: Int = 0) throws -> Peer {
        let peer = add(.stream, loop: loop)
        let pattern = try ChannelPattern(pattern, grammar: limits.grammar, maximumBytes: limits.channelBytes)
        router.openStream(
            of: [SubscriptionItem(pattern, replay: replay)], from: peer.connection, caller: caller, now: now,
            into: &outbox)
        carryOut(endingTurn: true)
        return peer
    }

    private func add(_ kind: Peer.Kind, loop: Int) -> Peer {
        let free = reusesSlots ? slots[loop].firstIndex { if case .free = $0 { true } else { false } } : nil
        let slot = free ?? slots[loop].count
        if free == nil { slots[loop].append(.free) }
        slots[loop][slot] = .open(kind)
        let connection = ConnectionID(loop: UInt32(loop), slot: UInt32(slot))
        events[connection] = []
        return Peer(connection: connection, kind: kind)
    }

    /// A peer sends a batch; what it gets for it is returned and taken off its list.
    @discardableResult
    package func send(_ text: String, from peer: Peer, endingTurn: Bool = true) -> [Event] {
        let bytes = Array(text.utf8)
        var batch: [Envelope] = []
        do {
            _ = try bytes.withUnsafeBytes { bytes in
                try EnvelopeScanner(limits: limits.envelope).scan(bytes.bytes, into: &batch)
            }
        } catch {
            preconditionFailure("Cannot send \(text): \(error)")
        }
        receive(batch, text: bytes.span.bytes, from: peer, endingTurn: endingTurn)
        return take(peer)
    }

    /// A batch has come from a peer.
    package func receive(_ batch: [Envelope], text: RawSpan, from peer: Peer, endingTurn: Bool = true) {
        router.receive(batch, text: text, from: peer, caller: caller, now: now, into: &outbox)
        carryOut(endingTurn: endingTurn)
    }

    /// A peer sends a batch of these messages.
    @discardableResult
    package func send(_ messages: [JSON], from peer: Peer, endingTurn: Bool = true) -> [Event] {
        send(JSON.array(messages).description, from: peer, endingTurn: endingTurn)
    }

    /// Plain HTTP publishes `data`.
    @discardableResult
    package func publishOverHTTP(
        _ data: JSON, to channel: String, options: PublishOptions = PublishOptions(), from peer: Peer
    ) throws -> [Event] {
        let name = try ChannelName(channel, grammar: limits.grammar, maximumBytes: limits.channelBytes)
        let bytes = Array(data.description.utf8)
        router.publish(
            bytes.span.bytes, to: name, options: options, from: peer.connection, caller: caller, now: now, into: &outbox
        )
        carryOut(endingTurn: true)
        return take(peer)
    }

    /// Plain HTTP asks for a channel's retained message.
    @discardableResult
    package func readRetained(of channel: String, for peer: Peer) throws -> [Event] {
        let name = try ChannelName(channel, grammar: limits.grammar, maximumBytes: limits.channelBytes)
        router.readRetained(of: name, for: peer.connection, caller: caller, now: now, into: &outbox)
        carryOut(endingTurn: true)
        return take(peer)
    }

    /// Plain HTTP asks for a part of a channel's history.
    @discardableResult
    package func readHistory(of channel: String, after: UInt64, limit: Int, for peer: Peer) throws -> [Event] {
        let name = try ChannelName(channel, grammar: limits.grammar, maximumBytes: limits.channelBytes)
        router.readHistory(
            of: name, HistoryRange(after: after, limit: limit), for: peer.connection, caller: caller, now: now,
            into: &outbox)
        carryOut(endingTurn: true)
        return take(peer)
    }

    /// The administrator asks something.
    package func ask(_ query: AdminQuery) -> AdminAnswer {
        let peer = add(.exchange, loop: 0)
        router.answer(query, for: peer.connection, now: now, into: &outbox)
        carryOut(endingTurn: true)
        guard case .report(let answer)? = take(peer).first else {
            preconditionFailure("Cannot go on when the administrator is not answered")
        }
        return answer
    }

    /// The oldest call of a service is answered.
    package func answerCall(_ result: Result<[UInt8], BayeuxError>) {
        router.finishService(calls.removeFirst().ticket, result, into: &outbox)
        carryOut(endingTurn: true)
    }

    /// A connection is gone.
    package func close(_ peer: Peer, because reason: ConnectionEnd = .peer) {
        slots[Int(peer.connection.loop)][Int(peer.connection.slot)] = .gone
        router.close(peer.connection, because: reason, now: now, into: &outbox)
        carryOut(endingTurn: true)
    }

    /// Time passes; the router is called at each of its deadlines, as a timer would.
    package func advance(by duration: Duration) {
        let end = now.adding(duration)
        while let deadline = router.nextDeadline, deadline <= end {
            moveClocks(to: max(deadline, now.monotonic))
            router.advance(to: now, into: &outbox)
            carryOut(endingTurn: true)
        }
        moveClocks(to: end)
    }

    /// Time passes, and the router is called once; how many actions came of it.
    package func advanceOnce(by duration: Duration = .zero) -> Int {
        moveClocks(to: now.adding(duration))
        router.advance(to: now, into: &outbox)
        defer { carryOut(endingTurn: true) }
        return outbox.actions.count
    }

    private func moveClocks(to monotonic: UInt64) {
        now.wall += Int64((monotonic - now.monotonic) / 1_000_000)
        now.monotonic = monotonic
    }

    /// Tokens are taken back.
    package func revoke(_ entries: Revocations.Entry...) {
        router.revoke(entries, now: now, into: &outbox)
        carryOut(endingTurn: true)
    }

    /// The turn of the event loop ends.
    package func endTurn() { carryOut(endingTurn: true) }

    /// The broker stops; the other sides of these connections have got all that was on its way.
    package func shutDown(takenBy peers: Peer...) {
        router.shutDown(now: now, into: &outbox)
        carryOut(endingTurn: true)
        finish(takenBy: peers)
    }

    /// The broker has begun to stop, and comes to an end.
    package func finish(takenBy peers: [Peer]) {
        for peer in peers { router.part(from: peer.connection, now: now) }
        router.finish(into: &outbox)
        carryOut(endingTurn: true)
    }

    /// The store does what was held back: `count` operations, or all.
    package func runStore(_ count: Int = .max) {
        let operations = heldOperations.prefix(count)
        heldOperations.removeFirst(operations.count)
        for operation in operations {
            store.submit([operation])
            carryOut(endingTurn: true)
        }
    }

    /// The store cannot do the first `count` operations of what was held back.
    package func failStore(_ count: Int) {
        let operations = heldOperations.prefix(count)
        heldOperations.removeFirst(operations.count)
        box.append(operations.map(Self.failure))
        carryOut(endingTurn: true)
    }

    private static func failure(of operation: StoreOperation) -> StoreOutcome {
        .failed(operation.ticket, StoreError(.full, what: "disk", reason: "the disk is full"))
    }

    /// A connection does not take what is written to it, until `drain`.
    package func congest(_ peer: Peer) {
        draining.append(peer.connection)
        router.congest(peer.connection)
        carryOut(endingTurn: true)
    }

    /// Connections take what was written to them.
    package func drain() {
        let connections = draining
        draining.removeAll()
        for connection in connections { router.drained(connection, now: now, into: &outbox) }
        carryOut(endingTurn: true)
    }

    /// What a connection got since the last time.
    package func take(_ peer: Peer) -> [Event] {
        events.updateValue([], forKey: peer.connection) ?? []
    }

    private func carryOut(endingTurn: Bool) {
        while true {
            for action in outbox.actions { carryOut(action) }
            outbox.removeAll()
            if storeMode != .held, storeMode != .stopped, !heldOperations.isEmpty {
                let operations = heldOperations
                heldOperations = []
                if storeMode == .failing {
                    box.append(operations.map(Self.failure))
                } else {
                    store.submit(operations)
                }
            }
            let outcomes = box.takeAll()
            if !outcomes.isEmpty { router.receive(outcomes, now: now, into: &outbox) }
            if readsPromptly {
                for connection in draining { router.drained(connection, now: now, into: &outbox) }
                draining.removeAll()
            }
            if outbox.actions.isEmpty, endingTurn { router.endTurn(now: now, into: &outbox) }
            if outbox.actions.isEmpty { return }
        }
    }

    private func carryOut(_ action: Outbox.Action) {
        switch action {
        case .reply(let connection, let range):
            record(range.isEmpty ? .emptyReply : .reply(parse(outbox.bytes[range])), for: connection)
        case .deliver(let publication, let recipients):
            let message = Event.push(parse(publication.json[...]))
            for slot in recipients.slots {
                record(message, for: ConnectionID(loop: recipients.loop, slot: slot))
            }
        case .push(let publication, let connection): record(.push(parse(publication.json[...])), for: connection)
        case .finish(let connection): finish(.finish, connection)
        case .receipt(let connection, let result): finish(.receipt(result), connection)
        case .retained(let connection, let result): finish(.retained(result), connection)
        case .history(let connection, .success(let publications)):
            finish(.history(publications.map { parse($0.json[...]) }), connection)
        case .history(let connection, .failure(let error)): finish(.noHistory(error), connection)
        case .report(let connection, let answer): finish(.report(answer), connection)
        case .open(let connection): record(.open, for: connection)
        case .refuse(let connection, let error): finish(.refuse(error), connection)
        case .close(let connection): record(.close, for: connection)
        case .release(let connection):
            guard case .gone = slots[Int(connection.loop)][Int(connection.slot)] else {
                return faults.append("release of \(connection)")
            }
            slots[Int(connection.loop)][Int(connection.slot)] = .free
            events[connection, default: []].append(.release)
        case .cut(let connection): record(.cut, for: connection)
        case .pause(let connection): record(.pause, for: connection)
        case .resume(let connection): record(.resume, for: connection)
        case .awaitDrain(let connection):
            draining.append(connection)
        case .store(let operation) where storeMode == .held && !Self.isHeld(operation): store.submit([operation])
        case .store(let operation): heldOperations.append(operation)
        case .probed(let error): probes.append(error)
        case .call(let call): calls.append(call)
        case .traced(let publication): traced.append(publication)
        case .event(let event): brokerEvents.append(event)
        }
    }

    private static func isHeld(_ operation: StoreOperation) -> Bool {
        if case .moveCursors = operation { false } else { !operation.isReading }
    }

    private func finish(_ event: Event, _ connection: ConnectionID) {
        record(event, for: connection)
        switch slots[Int(connection.loop)][Int(connection.slot)] {
        case .open(.exchange), .open(.stream): break
        case .open(.socket), .free, .gone: return faults.append("\(event) for \(connection)")
        }
        slots[Int(connection.loop)][Int(connection.slot)] = .free
    }

    private func record(_ event: Event, for connection: ConnectionID) {
        guard case .open = slots[Int(connection.loop)][Int(connection.slot)] else {
            return faults.append("\(event) for \(connection)")
        }
        events[connection, default: []].append(event)
    }

    private func parse(_ bytes: ArraySlice<UInt8>) -> JSON {
        do {
            return try JSON(parsing: bytes)
        } catch {
            faults.append("\(String(decoding: bytes, as: UTF8.self)): \(error)")
            return .null
        }
    }
}

/// Where the store's outcomes wait, from whatever thread they come.
private final class OutcomeBox: Sendable {
    private let outcomes = Mutex<[StoreOutcome]>([])

    func append(_ more: [StoreOutcome]) { outcomes.withLock { $0 += more } }

    func takeAll() -> [StoreOutcome] {
        outcomes.withLock { outcomes in
            defer { outcomes = [] }
            return outcomes
        }
    }
}

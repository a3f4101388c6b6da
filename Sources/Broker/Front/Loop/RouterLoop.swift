import BrokerCore
import Logging
import NIOCore

/// Owns the router, on one event loop: passes inputs in, carries out what the outbox says, keeps the time.
///
/// Everything that an input brings about is gathered and goes out when the turn of the loop ends: one call of the
/// store, one batch for each other loop, one write for each connection. Not thread-safe: it belongs to its loop.
final class RouterLoop {
    /// How a loop's connections are reached.
    enum Port {
        case local(Shard)
        case remote(any CommandReceiver)
    }
    // Nothing comes back into the router while it is at work, and `sortOutbox` asserts it; to have the runtime check that
    // for each message as well costs a tenth of it.
    @exclusivity(unchecked) private var router: Router
    @exclusivity(unchecked) private var outbox = Outbox()
    private let store: any Store
    private let eventLoop: any EventLoop
    private let services: ServiceRunner
    private var hooks: BrokerHooks { services.hooks }
    /// What other threads send goes through here.
    private var mailbox: () -> Mailbox<RouterInput>?
    @exclusivity(unchecked) private var ports: [Port] = []
    /// The one of these that is on the same loop.
    private var localShard: Shard?

    private var outgoing: [[ShardCommand]] = []
    /// What each other loop has sent that is not taken in yet.
    private var loads: [InboundLoad?] = []
    /// Who has had how much of the router's time from there, which those loops know nothing of: an address has one share of
    /// it, however many loops its connections are on, and each of them is told what it owes.
    private var shares: TimeShares
    private var operations: [StoreOperation] = []
    @exclusivity(unchecked) private var joined: [UInt8] = []
    private var turnEndIsScheduled = false
    private var isSorting = false
    private var lastReviewed: (publication: Publication, result: Publication?)?
    /// What the clocks said first in this turn.
    @exclusivity(unchecked) private var turnStart: Moment?
    /// Whether the store can write.
    private lazy var probe = StoreProbe(eventLoop: eventLoop, logger: services.logger) { [weak self] in
        self?.tryStore()
    }
    private var timer: (deadline: UInt64, scheduled: Scheduled<Void>)?

    init(
        router: consuming Router, store: any Store, services: ServiceRunner, rates: RateLimits,
        eventLoop: any EventLoop, mailbox: @escaping () -> Mailbox<RouterInput>?
    ) {
        self.router = router
        self.store = store
        self.services = services
        shares = TimeShares(rates)
        self.eventLoop = eventLoop
        self.mailbox = mailbox
    }

    /// Makes the other loops known, by number; before any input.
    func connect(to ports: [Port], loads: [InboundLoad?]) {
        self.ports = ports
        for case .local(let shard) in ports { localShard = shard }
        self.loads = loads
        outgoing = Array(repeating: [], count: ports.count)
        armTimer()
    }

    /// The clocks are read once in a turn.
    private var now: Moment {
        if let turnStart { return turnStart }
        let now = SystemClock.now
        turnStart = now
        return now
    }

    /// A batch that came in on this loop.
    func receive(_ batch: borrowing [Envelope], text: RawSpan, from peer: Peer, caller: Caller?) {
        router.receive(batch, text: text, from: peer, caller: caller, now: now, into: &outbox)
        carryOut()
    }

    /// A publication over HTTP that came in on this loop.
    func publish(
        _ data: RawSpan, to channel: ChannelName, options: PublishOptions, from connection: ConnectionID,
        caller: Caller?
    ) {
        router.publish(
            data, to: channel, options: options, from: connection, caller: caller, now: now, into: &outbox)
        carryOut()
    }

    /// A request for a retained message that came in on this loop.
    func readRetained(of channel: ChannelName, for connection: ConnectionID, caller: Caller?) {
        router.readRetained(of: channel, for: connection, caller: caller, now: now, into: &outbox)
        carryOut()
    }

    /// A request for history that came in on this loop.
    func readHistory(
        of channel: ChannelName, _ range: HistoryRange, for connection: ConnectionID, caller: Caller?
    ) {
        router.readHistory(of: channel, range, for: connection, caller: caller, now: now, into: &outbox)
        carryOut()
    }

    /// A question of the administrator that came in on this loop.
    func answer(_ query: AdminQuery, for connection: ConnectionID) {
        router.answer(query, for: connection, now: now, into: &outbox)
        carryOut()
    }

    /// An event stream of a session that was opened on this loop.
    func openStream(for clientID: String, from connection: ConnectionID, caller: Caller?) {
        router.openStream(for: clientID, from: connection, caller: caller, now: now, into: &outbox)
        carryOut()
    }

    /// An event stream of channels that was opened on this loop.
    func openStream(
        of items: [SubscriptionItem], from connection: ConnectionID, at address: AddressClass, caller: Caller?
    ) {
        router.openStream(of: items, from: connection, at: address, caller: caller, now: now, into: &outbox)
        carryOut()
    }

    /// A connection of this loop is gone.
    func close(_ connection: ConnectionID, because reason: ConnectionEnd) {
        router.close(connection, because: reason, now: now, into: &outbox)
        carryOut()
    }

    /// The broker stops, and the other side of a connection of this loop has all that was written to it.
    func part(from connection: ConnectionID) {
        router.part(from: connection, now: now)
    }

    /// A connection of this loop does not take what is written to it.
    func congest(_ connection: ConnectionID) {
        router.congest(connection)
        carryOut()
    }

    /// A connection of this loop has taken most of what was written to it.
    func drained(_ connection: ConnectionID) {
        router.drained(connection, now: now, into: &outbox)
        carryOut()
    }

    /// What came from other loops and from the store.
    func receive(_ inputs: [RouterInput]) {
        for input in inputs {
            let payer = input.payer
            let start = payer == nil ? 0 : SystemClock.monotonic
            defer {
                if let payer { settle(payer.address, on: payer.loop, for: input.messageCount, since: start) }
                // Not in that time: it writes what is everybody's.
                localShard?.relieve()
            }
            switch input {
            case .batch(let batch, let text, let peer, let caller):
                receive(batch, text: text.span.bytes, from: peer, caller: caller)
                takeIn(text.count, from: peer.connection.loop)
            case .publish(let data, let channel, let options, let connection, let caller):
                publish(data.span.bytes, to: channel, options: options, from: connection, caller: caller)
            case .readRetained(let channel, let connection, let caller):
                readRetained(of: channel, for: connection, caller: caller)
            case .readHistory(let channel, let range, let connection, let caller):
                readHistory(of: channel, range, for: connection, caller: caller)
            case .ask(let query, let connection):
                answer(query, for: connection)
            case .openSessionStream(let clientID, let connection, let caller):
                openStream(for: clientID, from: connection, caller: caller)
            case .openChannelStream(let items, let connection, let address, let caller):
                openStream(of: items, from: connection, at: address, caller: caller)
            case .revoked(let entries):
                router.revoke(entries, now: now, into: &outbox)
                carryOut()
            case .close(let connection, let reason):
                close(connection, because: reason)
            case .parted(let connection):
                part(from: connection)
            case .congested(let connection):
                congest(connection)
            case .drained(let connection):
                drained(connection)
            case .outcomes(let outcomes):
                for case .failed(_, let error) in outcomes { probe.noteFailure(error) }
                router.receive(outcomes, now: now, into: &outbox)
                carryOut()
            case .answered(let ticket, let result):
                router.finishService(ticket, result, into: &outbox)
                carryOut()
            }
        }
    }

    /// An address has had the router's time since `start` (ns, monotonic), and its loop is told how long to wait.
    private func settle(_ address: IPAddress, on loop: UInt32, for count: Int, since start: UInt64) {
        let now = SystemClock.monotonic
        shares.charge(address, now - start, now: now)
        let debt = shares.debt(of: address, now: now)
        outgoing[Int(loop)].append(.settle(address, for: count, notBefore: now + debt))
    }

    /// What another loop has sent is through; one that had to wait for that reads on.
    private func takeIn(_ byteCount: Int, from loop: UInt32) {
        guard Int(loop) < loads.count, let load = loads[Int(loop)], load.remove(byteCount) else { return }
        outgoing[Int(loop)].append(.readOn)
    }

    /// From now on this is what is kept of publications.
    func set(_ policies: ChannelPolicies) {
        router.policies = policies
    }

    /// From now on only tokens of these keys count.
    func set(_ keys: Set<TokenKeyIdentity>?) {
        router.set(keys, now: now, into: &outbox)
        carryOut()
    }

    /// From now on these rules and revocations hold.
    func set(_ rules: AccessRules?, revocations: [Revocations.Entry]) {
        router.set(rules, revocations: revocations, now: now, into: &outbox)
        carryOut()
    }

    /// From now on these are the limits of rates.
    func set(_ rates: RateLimits) {
        router.set(rates)
        shares.rate = rates.workPerAddress
    }

    /// What there is and what was counted.
    var sample: RouterSample {
        RouterSample(
            statistics: router.statistics, counters: router.counters, connectedCount: router.connectedCount,
            storeIsUp: !probe.isFailing)
    }

    /// Tells whether the store can write, and why not.
    func probeStore(_ body: @escaping (StoreError?) -> Void) {
        probe.ask(body)
    }

    private func tryStore() {
        router.probeStore(into: &outbox)
        carryOut()
    }

    /// The broker stops: what is held is answered.
    func shutDown() {
        router.shutDown(now: now, into: &outbox)
        endTurnAndRest()
    }

    /// Has what is known of the clients written down, and lets go of the mailbox, which holds this; the last call.
    func stop() {
        router.finish(into: &outbox)
        endTurnAndRest()
        mailbox = { nil }
        probe.stop()
    }

    /// Does at once what the outbox says, and keeps no time until the next input.
    private func endTurnAndRest() {
        sortOutbox()
        endTurn()
        timer?.scheduled.cancel()
        timer = nil
    }

    /// Does what the outbox says; what goes elsewhere leaves when the turn ends.
    private func carryOut() {
        sortOutbox()
        guard !turnEndIsScheduled else { return }
        turnEndIsScheduled = true
        eventLoop.assumeIsolated().execute {
            self.turnEndIsScheduled = false
            self.endTurn()
        }
    }

    /// Sorts the outbox by where things go. Nothing is written yet, so nothing comes back into the router.
    private func sortOutbox() {
        assert(!isSorting, "Cannot sort the outbox when it is being sorted")
        isSorting = true
        defer { isSorting = false }
        var index = 0
        while index < outbox.actions.count {
            switch outbox.actions[index] {
            case .reply(let connection, let range):
                index += reply(to: connection, first: range, at: index)
            case .deliver(let publication, let recipients):
                guard let publication = reviewed(publication) else { break }
                switch ports[Int(recipients.loop)] {
                case .local(let shard): shard.deliver(publication, to: recipients, acceptedAt: now.monotonic)
                case .remote:
                    outgoing[Int(recipients.loop)].append(
                        .deliver(publication, to: recipients, acceptedAt: now.monotonic))
                }
            case .push(let publication, let connection):
                guard let publication = reviewed(publication) else { break }
                send(.push(publication, slot: connection.slot), to: connection)
            case .finish(let connection): send(.finish(slot: connection.slot), to: connection)
            case .close(let connection): send(.close(slot: connection.slot), to: connection)
            case .cut(let connection): send(.cut(slot: connection.slot), to: connection)
            case .pause(let connection): send(.pause(slot: connection.slot), to: connection)
            case .resume(let connection): send(.resume(slot: connection.slot), to: connection)
            case .awaitDrain(let connection): send(.awaitDrain(slot: connection.slot), to: connection)
            case .release(let connection): send(.release(slot: connection.slot), to: connection)
            case .receipt(let connection, let result): send(.receipt(slot: connection.slot, result), to: connection)
            case .retained(let connection, let result): send(.retained(slot: connection.slot, result), to: connection)
            case .history(let connection, let result): send(.history(slot: connection.slot, result), to: connection)
            case .report(let connection, let answer): send(.report(slot: connection.slot, answer), to: connection)
            case .open(let connection): send(.open(slot: connection.slot), to: connection)
            case .refuse(let connection, let error): send(.refuse(slot: connection.slot, error), to: connection)
            case .traced(let publication): log(publication)
            case .store(let operation): operations.append(operation)
            case .call(let call): start(call)
            case .probed(let error): probe.receive(error)
            case .event(let event): hooks.observer?(event)
            }
            index += 1
        }
        outbox.removeAll()
    }

    private func log(_ publication: TracedPublication) {
        services.logger.debug(
            "publication",
            metadata: [
                "traceparent": "\(publication.trace.text)", "matched": "\(publication.matchedCount)",
                "seq": "\(publication.sequence.map(String.init) ?? "none")",
            ])
    }

    /// What the outgoing hook makes of a publication: one object for all of its subscribers, as before.
    private func reviewed(_ publication: Publication) -> Publication? {
        guard let outgoing = hooks.outgoing else { return publication }
        if let last = lastReviewed, last.publication === publication { return last.result }
        let result = outgoing(publication.json).map { json in
            json == publication.json ? publication : Publication(publication, json: json)
        }
        lastReviewed = (publication, result)
        return result
    }

    private func start(_ call: ServiceCall) {
        let mailbox = mailbox()
        services.run(call) { result in mailbox?.send([.answered(call.ticket, result)]) }
    }

    /// Appends a reply; the outgoing hook may change it, or drop it.
    private func join(_ range: Range<Int>) {
        guard let outgoing = hooks.outgoing, !range.isEmpty else {
            if !joined.isEmpty { joined.append(UInt8(ascii: ",")) }
            return joined += outbox.bytes[range]
        }
        guard let reply = outgoing(Array(outbox.bytes[range])) else { return }
        if !joined.isEmpty { joined.append(UInt8(ascii: ",")) }
        joined += reply
    }

    private func isFollowedByReply(to connection: ConnectionID, at index: Int) -> Bool {
        guard index + 1 < outbox.actions.count, case .reply(connection, _) = outbox.actions[index + 1] else {
            return false
        }
        return true
    }

    /// Sends replies that follow each other as one array; returns how many more than one they were.
    private func reply(to connection: ConnectionID, first: Range<Int>, at index: Int) -> Int {
        if hooks.outgoing == nil, !isFollowedByReply(to: connection, at: index),
            case .local(let shard) = ports[Int(connection.loop)]
        {
            outbox.bytes.withUnsafeBytes { bytes in
                shard.reply(bytes.bytes.extracting(first), to: connection.slot)
            }
            return 0
        }
        var count = 0
        joined.removeAll(keepingCapacity: true)
        join(first)
        while index + count + 1 < outbox.actions.count,
            case .reply(connection, let range) = outbox.actions[index + count + 1]
        {
            join(range)
            count += 1
        }
        if joined.isEmpty, !first.isEmpty { return count }
        let objects = joined
        switch ports[Int(connection.loop)] {
        case .local(let shard): shard.reply(objects.span.bytes, to: connection.slot)
        case .remote: outgoing[Int(connection.loop)].append(.reply(slot: connection.slot, objects))
        }
        return count
    }

    private func send(_ command: ShardCommand, to connection: ConnectionID) {
        switch ports[Int(connection.loop)] {
        case .local(let shard): shard.carryOut(command)
        case .remote: outgoing[Int(connection.loop)].append(command)
        }
    }

    private func endTurn() {
        router.endTurn(now: now, into: &outbox)
        sortOutbox()
        turnStart = nil
        for (loop, commands) in outgoing.enumerated() where !commands.isEmpty {
            if case .remote(let mailbox) = ports[loop] { mailbox.send(commands) }
            outgoing[loop].removeAll(keepingCapacity: true)
        }
        if !operations.isEmpty {
            store.submit(operations)
            operations.removeAll(keepingCapacity: true)
        }
        armTimer()
    }

    /// Sees to it that `advance` is called when the router's next deadline comes; one that is past, because there were too
    /// many for a turn, a moment later: what connections have sent is read before that.
    private func armTimer() {
        guard let next = router.nextDeadline else { return }
        if let timer, timer.deadline <= next { return }
        let deadline = max(next, SystemClock.monotonic + UInt64(LoopTurn.pause.nanoseconds))
        if let timer {
            if timer.deadline <= deadline { return }
            timer.scheduled.cancel()
        }
        let scheduled = eventLoop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(deadline)) {
            self.timer = nil
            self.router.advance(to: SystemClock.now, into: &self.outbox)
            self.carryOut()
        }
        timer = (deadline, scheduled)
    }
}

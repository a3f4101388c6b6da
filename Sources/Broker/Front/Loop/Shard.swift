import BrokerCore
import Driver
import Logging
import NIOCore

/// One event loop's share of the broker: its connections, what they have to write, and its side of the router.
///
/// What comes in is scanned here and handed to the router; what the router wants written is gathered here and goes out
/// when the turn ends. Not thread-safe: it belongs to its loop.
final class Shard {
    /// Where the router is.
    enum RouterPort {
        case local(RouterLoop)
        case remote(Mailbox<RouterInput>, InboundLoad)
    }

    let loop: UInt32
    let eventLoop: any EventLoop
    let configuration: BrokerConfiguration
    /// How long, under load, what is to be written waits for more to go with it (ns).
    private let hold: UInt64
    let access: AccessControl
    let hooks: BrokerHooks
    let logger: Logger
    /// The `Date` of this loop's responses.
    var date = HTTPDate()
    /// What this loop has counted.
    @exclusivity(unchecked) var counters = LoopCounters()
    /// Who has had how much of this loop's time.
    @exclusivity(unchecked) var work: WorkShares
    /// Who waits for their share of it.
    var waiting = WaitingLines()
    /// What was answered and not taken yet.
    var untaken: MemoryShares
    /// What was sent and not taken in yet.
    @exclusivity(unchecked) var unfinished: UnfinishedInput
    /// What was written and not taken yet.
    let unsent: UnsentBytes
    /// Scratch memory that the drivers of this loop share.
    let scratch = DriverScratch()
    /// What the connections of this loop read into.
    let readBuffer = ReadBuffer()

    // Used for each message, on this loop only: see `RouterLoop`.
    @exclusivity(unchecked) private(set) var router: RouterPort?
    @exclusivity(unchecked) var slots = SlotTable()
    @exclusivity(unchecked) private var wireForms = WireForms()
    private let sockets = DirectSockets()
    @exclusivity(unchecked) private var fanOut = FanOut()
    /// What is being written. Whoever is written to may bring about more, which waits in `fanOut`.
    @exclusivity(unchecked) private var leaving = FanOut()
    private var isWriting = false
    @exclusivity(unchecked) private var flushIsScheduled = false
    /// Whether the last writing took longer than what is to be written may be held.
    @exclusivity(unchecked) private var hasOverrun = false
    /// Requests that are answered; the responses are written when the turn ends, since each may bring the next request.
    var answered: [() -> Void] = []
    /// Connections whose drain is awaited; looked at behind what is written to them.
    var draining: [UInt32] = []
    /// Connections that are not read from until the router has taken in what this loop has sent.
    var throttled: [UInt32] = []
    /// Event streams that begin.
    var opening: [EventStream] = []
    /// Slots that are free once the frames of this turn, some for their last users, are gone.
    var released: [UInt32] = []
    let scanner: EnvelopeScanner
    @exclusivity(unchecked) var batch: [Envelope] = []
    /// Every connection, WebSocket or not: all have deadlines to keep.
    private let watch = DeadlineWatch()
    /// When the router took in the first of the publications that wait for the end of this turn (ns, monotonic).
    @exclusivity(unchecked) private var oldestDelivery: UInt64?
    private(set) var isShuttingDown = false

    init(
        loop: UInt32, eventLoop: any EventLoop, configuration: BrokerConfiguration, access: AccessControl,
        hooks: BrokerHooks, logger: Logger, unsentTotal: UnsentTotal
    ) {
        self.access = access
        self.hooks = hooks
        self.loop = loop
        self.eventLoop = eventLoop
        self.configuration = configuration
        hold = configuration.hold.nanosecondsClamped
        self.logger = logger
        work = WorkShares(configuration.limits.rates, loopCount: configuration.threads)
        let bytesInAll = configuration.limits.queuedBytesInAll / max(configuration.threads, 1)
        // Smaller answers do not count.
        untaken = MemoryShares(bytesInAll: bytesInAll / 4, from: 64 << 10)
        unfinished = UnfinishedInput(bytesInAll: bytesInAll, messageBytes: configuration.messageBytes)
        unsent = UnsentBytes(total: unsentTotal, eventLoop: eventLoop)
        scanner = EnvelopeScanner(limits: configuration.limits.envelope)
    }

    /// Makes the router known and starts to keep deadlines; before any connection.
    func connect(to router: RouterPort) {
        self.router = router
        watch.start(on: eventLoop) {
            self.counters.lag.observe($0)
            self.unsent.look()
        }
    }
}

/// For those who operate the broker.
extension Shard {
    /// What this loop has counted, and how its connections are.
    var sample: LoopSample {
        var sample = LoopSample(loop: loop, counters: counters)
        sample.queuedBytes = unsent.queuedBytes
        sample.unfinishedBytes = unfinished.byteCount
        for entry in slots.entries where entry.outbound?.isCongested == true { sample.slowCount += 1 }
        return sample
    }
}

/// Connections come and go.
extension Shard {
    /// Connections whose deadlines are kept: all that there are on this loop.
    var connectionCount: Int { watch.count }

    func guardDeadlines(of connection: any GuardedConnection) {
        watch.add(connection)
        if isShuttingDown { connection.goAway() }
    }

    func dismiss(_ connection: any GuardedConnection) {
        watch.remove(connection)
    }

    /// A slot for an open WebSocket.
    func add(_ socket: WebSocketHandler, form: WireForm) -> UInt32 {
        let slot = add(.socket(socket), form)
        socket.outbound?.take(slot: slot, of: sockets)
        return slot
    }

    /// A slot for a request that the router answers.
    func add(_ exchange: RouterExchange) -> UInt32 { add(.exchange(exchange), WireForms.plain) }

    /// A slot for an event stream that the router is to open.
    func add(_ stream: EventStream, form: WireForm) -> UInt32 { add(.stream(stream), form) }

    private func add(_ entry: SlotTable.Entry, _ form: WireForm) -> UInt32 {
        slots.add(entry, form: wireForms.number(of: form))
    }

    /// The connection is gone, or its client has given up; nothing is written to it any more.
    func remove(slot: UInt32, because reason: ConnectionEnd) {
        guard vacate(slot) else { return }
        tellRouter(of: slot, reason)
    }

    /// The broker stops: nothing more is written to the connection, and how it ends is told by `part`.
    func sendAway(slot: UInt32) {
        vacate(slot)
    }

    /// A connection that was sent away is gone. `hasAll`: its other side has taken all that was written to it before.
    func part(slot: UInt32, hasAll: Bool) {
        if hasAll {
            switch router {
            case .local(let router): router.part(from: id(slot))
            case .remote(let mailbox, _): mailbox.send([.parted(id(slot))])
            case nil: break
            }
        }
        tellRouter(of: slot, .shutdown)
    }

    @discardableResult
    private func vacate(_ slot: UInt32) -> Bool {
        switch slots[slot] {
        case .socket(let socket): socket.outbound?.leaveSlot()
        case .exchange, .stream: break
        case .free, .gone: return false
        }
        slots[slot] = .gone
        return true
    }

    private func tellRouter(of slot: UInt32, _ reason: ConnectionEnd) {
        switch router {
        case .local(let router): router.close(id(slot), because: reason)
        case .remote(let mailbox, _): mailbox.send([.close(id(slot), reason)])
        case nil: break
        }
    }

    func id(_ slot: UInt32) -> ConnectionID { ConnectionID(loop: loop, slot: slot) }

    /// From now on no connection is kept for another request.
    func announceShutDown() {
        isShuttingDown = true
    }

    /// Says goodbye to everybody on this loop.
    func shutDown() {
        flush()
        watch.sendAway()
    }

    /// Stops keeping deadlines; the last call.
    func stop() {
        watch.stop()
        waiting.removeAll()
        router = nil
    }
}

/// What goes out to the connections.
extension Shard {
    /// Replies to the messages of one connection: JSON objects separated by commas.
    func reply(_ objects: RawSpan, to slot: UInt32) {
        switch slots[slot] {
        case .socket, .stream:
            let form = slots.form(of: slot)
            fanOut.append(to: slot) { wireForms.append(arrayOf: objects, in: form, to: &$0) }
            scheduleFlush()
        case .exchange(let exchange):
            exchange.append(replies: objects)
        case .free, .gone:
            break
        }
    }

    /// A publication to connections of this loop, encoded once for all of the same form.
    func deliver(_ publication: Publication, to recipients: Recipients, acceptedAt: UInt64) {
        if oldestDelivery == nil { oldestDelivery = acceptedAt }
        fanOut.append(to: recipients) { slot in
            slots.form(of: slot)
        } _: { form, count, buffer in
            countDeliveries(count, in: form)
            wireForms.append(publication, in: form, to: &buffer)
        }
        scheduleFlush()
    }

    /// A publication to one connection.
    func push(_ publication: Publication, to slot: UInt32) {
        let form = slots.form(of: slot)
        countDeliveries(1, in: form)
        fanOut.append(to: slot) { wireForms.append(publication, in: form, to: &$0) }
        scheduleFlush()
    }

    private func countDeliveries(_ count: Int, in form: UInt8) {
        if wireForms.isStream(form) {
            counters.streams.deliveredCount += UInt64(count)
        } else {
            counters.sockets.deliveredCount += UInt64(count)
        }
    }

    /// Writes what has gathered if it is much; not while a driver is at work.
    func relieve() {
        if fanOut.byteCount > configuration.turnBytes { flush() }
    }

    func scheduleFlush() {
        guard !flushIsScheduled else { return }
        flushIsScheduled = true
        let flush = {
            self.flushIsScheduled = false
            self.flush()
        }
        if hasOverrun {
            eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(Int64(hold)), flush)
        } else {
            eventLoop.assumeIsolated().execute(flush)
        }
    }

    /// Writes what has gathered, to each connection in as few pieces as possible.
    func flush() {
        guard !isWriting else { return scheduleFlush() }
        // Before what is to be written to them; each changes its pipeline, which the router must not be in the middle of.
        let streams = opening
        opening.removeAll()
        for stream in streams { stream.open() }
        if !fanOut.isEmpty {
            var congested: [UInt32] = []
            let start = hold > 0 ? SystemClock.monotonic : 0
            swap(&fanOut, &leaving)
            isWriting = true
            leaving.drain { slot, buffer, part in
                let sent = buffer.withUnsafeReadableBytes { bytes in
                    sockets.send(UnsafeRawBufferPointer(rebasing: bytes[part]), to: slot)
                }
                counters.sockets.sentBytes += UInt64(sent)
                let rest = part.dropFirst(sent)
                if !rest.isEmpty { write(FanOut.piece(rest, of: buffer), to: slot, &congested) }
            }
            isWriting = false
            if start > 0 { hasOverrun = SystemClock.monotonic - start > hold }
            for slot in congested { congest(slot) }
            // Once for all that the turn has written, so that no delivery costs a look at the clock.
            if let oldest = oldestDelivery {
                counters.deliveryLag.observe(Double(SystemClock.monotonic &- oldest) / 1e9)
                oldestDelivery = nil
            }
        }
        let (waiting, responses, free) = (draining, answered, released)
        draining.removeAll()
        answered.removeAll()
        released.removeAll()
        for slot in waiting { awaitDrain(of: slot) }
        for respond in responses { respond() }
        // Not before: until it has responded, a request knows itself by its slot.
        slots.free(free)
    }

    /// Writes what the socket did not take at once, if it has one; adds a connection for which too much waits now.
    private func write(_ piece: ByteBuffer, to slot: UInt32, _ congested: inout [UInt32]) {
        let outbound: Outbound?
        switch slots[slot] {
        case .socket(let socket):
            counters.sockets.sentBytes += UInt64(piece.readableBytes)
            socket.write(piece)
            outbound = socket.outbound
        case .stream(let stream):
            counters.streams.sentBytes += UInt64(piece.readableBytes)
            stream.write(piece)
            outbound = stream.outbound
        case .exchange, .free, .gone: outbound = nil
        }
        guard let outbound, outbound.queuedBytes > configuration.congestedBytes, !outbound.isCongested else { return }
        outbound.isCongested = true
        congested.append(slot)
    }
}

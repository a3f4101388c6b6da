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
        case remote(Mailbox<RouterInput>)
    }
    /// Who uses a slot.
    private enum Entry {
        case free
        case socket(WebSocketHandler)
        case exchange(BayeuxExchange)
        /// Gone; the slot is free once the router has released it.
        case gone
    }
    /// How exactly deadlines of connections are kept.
    private static let sweepPeriod = TimeAmount.milliseconds(250)

    let loop: UInt32
    let eventLoop: any EventLoop
    let configuration: BrokerConfiguration
    let logger: Logger
    /// Scratch memory that the drivers of this loop share.
    let scratch = DriverScratch()

    private var router: RouterPort?
    private var entries: [Entry] = []
    private var freeSlots: [UInt32] = []
    private var fanOut = FanOut()
    private var flushIsScheduled = false
    /// Requests that are answered; the responses are written when the turn ends, since each may bring the next request.
    private var answered: [() -> Void] = []
    /// Slots that are free once the frames of this turn, some for their last users, are gone.
    private var released: [UInt32] = []
    private let scanner: EnvelopeScanner
    private var batch: [Envelope] = []
    /// Every connection that has deadlines to keep, WebSocket or not.
    private var guarded: [ObjectIdentifier: any GuardedConnection] = [:]
    private var sweep: RepeatedTask?
    private(set) var isShuttingDown = false

    init(loop: UInt32, eventLoop: any EventLoop, configuration: BrokerConfiguration, logger: Logger) {
        self.loop = loop
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.logger = logger
        scanner = EnvelopeScanner(limits: configuration.limits.envelope)
    }

    /// Makes the router known and starts to keep deadlines; before any connection.
    func connect(to router: RouterPort) {
        self.router = router
        let this = NIOLoopBound(self, eventLoop: eventLoop)
        sweep = eventLoop.scheduleRepeatedTask(initialDelay: Self.sweepPeriod, delay: Self.sweepPeriod) { _ in
            let now = SystemClock.monotonic
            for connection in this.value.guarded.values { connection.keepDeadlines(now: now) }
        }
    }
}

/// A connection that must be looked after: handshakes, requests and pongs have deadlines.
protocol GuardedConnection: AnyObject {
    /// Ends what has taken too long (ns, monotonic).
    func keepDeadlines(now: UInt64)
    /// Says goodbye, because the broker stops.
    func goAway()
}

/// Connections come and go.
extension Shard {
    /// Connections whose deadlines are kept: all that there are on this loop.
    var connectionCount: Int { guarded.count }

    func guardDeadlines(of connection: any GuardedConnection) {
        guarded[ObjectIdentifier(connection)] = connection
        if isShuttingDown { connection.goAway() }
    }

    func dismiss(_ connection: any GuardedConnection) {
        guarded[ObjectIdentifier(connection)] = nil
    }

    /// A slot for an open WebSocket.
    func add(_ socket: WebSocketHandler) -> UInt32 { add(.socket(socket)) }

    /// A slot for a request that the router answers.
    func add(_ exchange: BayeuxExchange) -> UInt32 { add(.exchange(exchange)) }

    private func add(_ entry: Entry) -> UInt32 {
        if let slot = freeSlots.popLast() {
            entries[Int(slot)] = entry
            return slot
        }
        entries.append(entry)
        return UInt32(entries.count - 1)
    }

    /// The connection is gone, or its client has given up; nothing is written to it any more.
    func remove(slot: UInt32) {
        switch entries[Int(slot)] {
        case .socket, .exchange: entries[Int(slot)] = .gone
        case .free, .gone: return
        }
        switch router {
        case .local(let router): router.close(id(slot))
        case .remote(let mailbox): mailbox.send([.close(id(slot))])
        case nil: break
        }
    }

    private func id(_ slot: UInt32) -> ConnectionID { ConnectionID(loop: loop, slot: slot) }

    /// From now on no connection is kept for another request.
    func announceShutDown() {
        isShuttingDown = true
    }

    /// Says goodbye to everybody on this loop.
    func shutDown() {
        flush()
        for connection in guarded.values { connection.goAway() }
    }

    /// Stops keeping deadlines; the last call.
    func stop() {
        sweep?.cancel()
        sweep = nil
        router = nil
    }
}

/// From the connections to the router.
extension Shard {
    /// A Bayeux batch arrived over a WebSocket: valid UTF-8.
    func receive(text: RawSpan, fromSocketIn slot: UInt32) throws(EnvelopeError) {
        batch.removeAll(keepingCapacity: true)
        _ = try scanner.scan(text, into: &batch)
        forward(text: text, from: Peer(connection: id(slot), kind: .socket))
    }

    /// A Bayeux batch arrived as the body of a request.
    func receive(body: RawSpan, forExchangeIn slot: UInt32) throws(EnvelopeError) {
        batch.removeAll(keepingCapacity: true)
        _ = try scanner.scan(validatingUTF8: body, into: &batch)
        forward(text: body, from: Peer(connection: id(slot), kind: .exchange))
    }

    private func forward(text: RawSpan, from peer: Peer) {
        switch router {
        case .local(let router): router.receive(batch, text: text, from: peer)
        case .remote(let mailbox): mailbox.send([.batch(batch, text: text.withUnsafeBytes { Array($0) }, peer)])
        case nil: break
        }
    }

    /// A publication over HTTP: one valid JSON value.
    func publish(_ data: RawSpan, to channel: ChannelName, options: PublishOptions, forExchangeIn slot: UInt32) {
        switch router {
        case .local(let router): router.publish(data, to: channel, options: options, from: id(slot))
        case .remote(let mailbox):
            mailbox.send([.publish(data.withUnsafeBytes { Array($0) }, channel, options, id(slot))])
        case nil: break
        }
    }

    /// A request for a channel's retained message.
    func readRetained(of channel: ChannelName, forExchangeIn slot: UInt32) {
        switch router {
        case .local(let router): router.readRetained(of: channel, for: id(slot))
        case .remote(let mailbox): mailbox.send([.readRetained(channel, id(slot))])
        case nil: break
        }
    }

    /// The one value that `body` consists of, if it is valid JSON.
    func value(in body: RawSpan) throws(EnvelopeError) -> JSONSlice {
        try scanner.scanValue(validatingUTF8: body)
    }
}

/// From the router to the connections.
extension Shard {
    /// What the router of another loop wants done.
    func carryOut(_ commands: [ShardCommand]) {
        for command in commands { carryOut(command) }
        relieve()
    }

    func carryOut(_ command: ShardCommand) {
        switch command {
        case .reply(let slot, let objects):
            reply(objects.span.bytes, to: slot)
        case .deliver(let publication, let slots):
            deliver(publication, to: slots[...])
        case .push(let publication, let slot):
            switch entries[Int(slot)] {
            case .socket: deliver(publication, to: [slot])
            case .exchange(let exchange): exchange.append(message: publication)
            case .free, .gone: break
            }
        case .finish(let slot):
            complete(slot) { $0.finish() }
        case .receipt(let slot, let result):
            complete(slot) { $0.finish(result) }
        case .retained(let slot, let result):
            complete(slot) { $0.finish(result) }
        case .close(let slot):
            if case .socket(let socket) = entries[Int(slot)] { socket.closeAfterFlush() }
        case .release(let slot):
            guard case .gone = entries[Int(slot)] else {
                preconditionFailure("Cannot release a slot when it is in use")
            }
            released.append(slot)
            scheduleFlush()
        }
    }

    /// A request is answered: its slot is free, unless its client gave up first and the router will release it.
    private func complete(_ slot: UInt32, _ finish: @escaping (BayeuxExchange) -> Void) {
        guard case .exchange(let exchange) = entries[Int(slot)] else { return }
        entries[Int(slot)] = .gone
        released.append(slot)
        answered.append { finish(exchange) }
        scheduleFlush()
    }

    /// Replies to the messages of one connection: JSON objects separated by commas.
    func reply(_ objects: RawSpan, to slot: UInt32) {
        switch entries[Int(slot)] {
        case .socket:
            fanOut.enqueue(fanOut.appendArray(of: objects), for: slot)
            scheduleFlush()
        case .exchange(let exchange):
            exchange.append(replies: objects)
        case .free, .gone:
            break
        }
    }

    /// A publication to WebSockets of this loop, encoded once for all of them.
    func deliver(_ publication: Publication, to slots: ArraySlice<UInt32>) {
        let json = publication.json
        let frame = fanOut.appendArray(of: json.span.bytes)
        for slot in slots { fanOut.enqueue(frame, for: slot) }
        scheduleFlush()
    }

    /// Writes what has gathered if it is much; not while a driver is at work.
    func relieve() {
        if fanOut.byteCount > configuration.turnBytes { flush() }
    }

    private func scheduleFlush() {
        guard !flushIsScheduled else { return }
        flushIsScheduled = true
        eventLoop.assumeIsolated().execute {
            self.flushIsScheduled = false
            self.flush()
        }
    }

    /// Writes what has gathered, to each connection in as few pieces as possible.
    func flush() {
        if !fanOut.isEmpty {
            fanOut.drain { slot, piece in
                if case .socket(let socket) = entries[Int(slot)] { socket.write(piece) }
            }
        }
        let (responses, free) = (answered, released)
        answered.removeAll()
        released.removeAll()
        for respond in responses { respond() }
        // Not before: until it has responded, a request knows itself by its slot.
        for slot in free { entries[Int(slot)] = .free }
        freeSlots += free
    }
}

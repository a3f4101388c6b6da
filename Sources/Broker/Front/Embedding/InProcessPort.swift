package import BrokerCore
import Synchronization

/// Where clients in the broker's own process are connected: like an event loop, but without I/O.
package final class InProcessPort: CommandReceiver {
    /// What a client gets.
    package enum Event: Sendable {
        /// Replies: JSON objects separated by commas.
        case replies([UInt8])
        /// A message, a JSON object.
        case message([UInt8])
    }

    /// Names a client for ever: its slot is another one's when it is gone, its number is not.
    package struct Handle: Sendable, Equatable {
        let slot: UInt32
        let number: UInt64
    }

    private struct Client {
        let number: UInt64
        let events: AsyncStream<Event>.Continuation
        let unread: UnreadLoad
    }
    private struct State {
        var loop: UInt32 = 0
        var router: Mailbox<RouterInput>?
        var hooks = BrokerHooks()
        var congestedBytes = 0
        var clients: [UInt32: Client] = [:]
        var lastNumber: UInt64 = 0
        var nextSlot: UInt32 = 0
        var freeSlots: [UInt32] = []
        /// Clients that asked to connect before the broker had started.
        var waiting: [CheckedContinuation<Bool, Never>] = []
        var isClosed = false
    }
    private let state = Mutex(State())

    /// A port of a broker that is to be started.
    package init() {}

    /// The broker has started. More than `congestedBytes` that a client has not read are too much.
    func open(loop: UInt32, router: Mailbox<RouterInput>, hooks: BrokerHooks, congestedBytes: Int) {
        let waiting = state.withLock { state in
            state.loop = loop
            state.hooks = hooks
            state.congestedBytes = congestedBytes
            state.router = router
            defer { state.waiting = [] }
            return state.waiting
        }
        for client in waiting { client.resume(returning: true) }
    }

    /// The broker stops: every client's events end.
    func shutDown() {
        let (clients, waiting) = state.withLock { state in
            state.isClosed = true
            // What was handed over can still be read.
            let parted = state.clients.keys.map { RouterInput.parted(ConnectionID(loop: state.loop, slot: $0)) }
            state.router?.send(parted)
            state.router = nil
            defer { (state.clients, state.waiting) = ([:], []) }
            return (state.clients, state.waiting)
        }
        for client in clients.values {
            client.unread.end()
            client.events.finish()
        }
        for client in waiting { client.resume(returning: false) }
    }

    /// Waits for the broker to have started; false if it has stopped.
    package func waitUntilOpen() async -> Bool {
        await withCheckedContinuation { continuation in
            let answer = state.withLock { state -> Bool? in
                if state.isClosed { return false }
                if state.router != nil { return true }
                state.waiting.append(continuation)
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// Connects a client: by what it is known, its events, and what to say when it has read the messages among them.
    package func connect() -> (handle: Handle, events: AsyncStream<Event>, unread: UnreadLoad) {
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        let (handle, unread) = state.withLock { state -> (Handle, UnreadLoad) in
            let slot = state.freeSlots.popLast() ?? state.nextSlot
            if slot == state.nextSlot { state.nextSlot += 1 }
            state.lastNumber += 1
            let unread = UnreadLoad(
                of: ConnectionID(loop: state.loop, slot: slot), router: state.router,
                congestedBytes: state.congestedBytes)
            if state.isClosed {
                continuation.finish()
            } else {
                state.clients[slot] = Client(number: state.lastNumber, events: continuation, unread: unread)
            }
            return (Handle(slot: slot, number: state.lastNumber), unread)
        }
        return (handle, events, unread)
    }

    /// Sends a batch of messages: a JSON array. Throws if it is none. What a client sends that is gone is passed over.
    package func send(_ batch: [UInt8], from client: Handle) throws(EnvelopeError) {
        var envelopes: [Envelope] = []
        try EnvelopeScanner().scan(validatingUTF8: batch.span.bytes, into: &envelopes)
        var batch = batch
        let hooks = state.withLock { $0.hooks }
        if let changed = hooks.review(envelopes, text: batch.span.bytes, transport: "in-process") {
            try EnvelopeScanner().scan(validatingUTF8: changed.span.bytes, into: &envelopes)
            batch = changed
        }
        let (messages, text) = (envelopes, batch)
        // Under the lock: behind its end, the batch would be that of whoever has the slot then.
        state.withLock { state in
            guard state.clients[client.slot]?.number == client.number else { return }
            let connection = ConnectionID(loop: state.loop, slot: client.slot)
            let peer = Peer(connection: connection, kind: .socket, address: .process)
            state.router?.send([.batch(messages, text: text, peer, .trusted)])
        }
    }

    /// The client is gone; once more does no harm to whoever has its slot by then.
    package func disconnect(_ client: Handle) {
        end(client.slot, number: client.number)
    }

    /// Ends the client in a slot, if it has that number or none is given.
    private func end(_ slot: UInt32, number: UInt64? = nil, because reason: ConnectionEnd = .peer) {
        let client = state.withLock { state -> Client? in
            guard let client = state.clients[slot], number == nil || number == client.number else { return nil }
            state.clients[slot] = nil
            client.unread.end()
            state.router?.send([.close(ConnectionID(loop: state.loop, slot: slot), reason)])
            return client
        }
        client?.events.finish()
    }

    func send(_ commands: [ShardCommand]) {
        for command in commands {
            switch command {
            case .reply(let slot, let objects): client(slot)?.events.yield(.replies(objects))
            case .push(let publication, let slot): hand(publication, to: slot)
            case .deliver(let publication, let recipients, _):
                for slot in recipients.slots { hand(publication, to: slot) }
            case .close(let slot): end(slot)
            case .release(let slot): state.withLock { $0.freeSlots.append(slot) }
            case .cut(let slot): end(slot, because: .slow)
            case .awaitDrain(let slot): client(slot)?.unread.awaitDrain()
            // The embedding program waits for its replies, and nobody holds it back.
            case .pause, .resume, .readOn, .settle: break
            case .finish, .receipt, .retained, .history, .report, .open, .refuse:
                preconditionFailure("Cannot answer an HTTP request when the client is in this process")
            }
        }
    }

    private func hand(_ publication: Publication, to slot: UInt32) {
        guard let receiver = client(slot) else { return }
        receiver.unread.add(publication.json.count)
        receiver.events.yield(.message(publication.json))
    }

    private func client(_ slot: UInt32) -> Client? {
        state.withLock { $0.clients[slot] }
    }
}

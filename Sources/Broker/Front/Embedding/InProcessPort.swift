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

    private struct State {
        var loop: UInt32 = 0
        var router: Mailbox<RouterInput>?
        var hooks = BrokerHooks()
        var clients: [UInt32: AsyncStream<Event>.Continuation] = [:]
        var nextSlot: UInt32 = 0
        var freeSlots: [UInt32] = []
        /// Clients that asked to connect before the broker had started.
        var waiting: [CheckedContinuation<Bool, Never>] = []
        var isClosed = false
    }
    private let state = Mutex(State())

    /// A port of a broker that is to be started.
    package init() {}

    /// The broker has started.
    func open(loop: UInt32, router: Mailbox<RouterInput>, hooks: BrokerHooks) {
        let waiting = state.withLock { state in
            state.loop = loop
            state.hooks = hooks
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
            state.router = nil
            defer { (state.clients, state.waiting) = ([:], []) }
            return (state.clients, state.waiting)
        }
        for client in clients.values { client.finish() }
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

    /// Connects a client: its slot and its events.
    package func connect() -> (slot: UInt32, events: AsyncStream<Event>) {
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        let slot = state.withLock { state in
            let slot = state.freeSlots.popLast() ?? state.nextSlot
            if slot == state.nextSlot { state.nextSlot += 1 }
            if state.isClosed { continuation.finish() } else { state.clients[slot] = continuation }
            return slot
        }
        return (slot, events)
    }

    /// Sends a batch of messages: a JSON array. Throws if it is none.
    package func send(_ batch: [UInt8], from slot: UInt32) throws(EnvelopeError) {
        var envelopes: [Envelope] = []
        try EnvelopeScanner().scan(validatingUTF8: batch.span.bytes, into: &envelopes)
        let (router, loop, hooks) = state.withLock { ($0.router, $0.loop, $0.hooks) }
        var batch = batch
        if let changed = hooks.review(envelopes, text: batch.span.bytes, transport: "in-process") {
            try EnvelopeScanner().scan(validatingUTF8: changed.span.bytes, into: &envelopes)
            batch = changed
        }
        let peer = Peer(connection: ConnectionID(loop: loop, slot: slot), kind: .socket, address: .process)
        router?.send([.batch(envelopes, text: batch, peer, .trusted)])
    }

    /// The client is gone.
    package func disconnect(_ slot: UInt32) {
        let (client, router, loop) = state.withLock { state in
            (state.clients.removeValue(forKey: slot), state.router, state.loop)
        }
        client?.finish()
        if client != nil { router?.send([.close(ConnectionID(loop: loop, slot: slot), .peer)]) }
    }

    func send(_ commands: [ShardCommand]) {
        for command in commands {
            switch command {
            case .reply(let slot, let objects): client(slot)?.yield(.replies(objects))
            case .push(let publication, let slot): client(slot)?.yield(.message(publication.json))
            case .deliver(let publication, let recipients, _):
                for slot in recipients.slots { client(slot)?.yield(.message(publication.json)) }
            case .close(let slot): disconnect(slot)
            case .release(let slot): state.withLock { $0.freeSlots.append(slot) }
            case .pause, .resume, .readOn, .cut, .charge: break
            // Nothing is between us and the client, whose stream takes all.
            case .awaitDrain(let slot):
                let (router, loop) = state.withLock { ($0.router, $0.loop) }
                router?.send([.drained(ConnectionID(loop: loop, slot: slot))])
            case .finish, .receipt, .retained, .history, .report, .open, .refuse:
                preconditionFailure("Cannot answer an HTTP request when the client is in this process")
            }
        }
    }

    private func client(_ slot: UInt32) -> AsyncStream<Event>.Continuation? {
        state.withLock { $0.clients[slot] }
    }
}

/// All that the router wants done after an input, in order; its owner carries it out and empties it.
///
/// The buffers are kept between inputs, so that an input which changes little allocates nothing.
package struct Outbox: ~Copyable {
    /// One thing to do.
    package enum Action: Sendable {
        /// Write a reply, the JSON object at these places of `bytes` (an empty range: the answer to an empty batch).
        /// Replies to one connection that follow each other make one array.
        case reply(ConnectionID, Range<Int>)
        /// Write a publication to WebSockets and event streams of one event loop.
        case deliver(Publication, to: Recipients)
        /// Write a publication to one connection.
        case push(Publication, ConnectionID)
        /// Every message of the request is answered: send the response.
        case finish(ConnectionID)
        /// Close the WebSocket or event stream, normally, behind what was written.
        case close(ConnectionID)
        /// Cut the WebSocket or event stream off, which does not take what is written to it.
        case cut(ConnectionID)
        /// Nothing will come for this connection any more: its slot is free.
        case release(ConnectionID)
        /// The answer to a publication that came over plain HTTP.
        case receipt(ConnectionID, Result<PublishReceipt, BayeuxError>)
        /// The answer to a request for a channel's retained message.
        case retained(ConnectionID, Result<StoredPublication?, BayeuxError>)
        /// The answer to a request for a channel's history, as it would be delivered.
        case history(ConnectionID, Result<[Publication], BayeuxError>)
        /// The answer to the administrator.
        case report(ConnectionID, AdminAnswer)
        /// The event stream begins: messages follow.
        case open(ConnectionID)
        /// There will be no event stream.
        case refuse(ConnectionID, BayeuxError)
        /// Read nothing more from the connection, until `resume`.
        case pause(ConnectionID)
        case resume(ConnectionID)
        /// Say `drained` when the WebSocket or event stream has taken most of what was written to it.
        case awaitDrain(ConnectionID)
        /// A publication that is part of a trace has gone out.
        case traced(TracedPublication)
        /// Hand this to the store.
        case store(StoreOperation)
        /// Hand this to a service of the embedding program.
        case call(ServiceCall)
        /// Whether the store can write, and why not.
        case probed(StoreError?)
        /// Tell those who watch.
        case event(BrokerEvent)
    }
    package private(set) var actions: [Action] = []
    package private(set) var bytes: [UInt8] = []

    /// An empty outbox.
    package init() {}

    /// Forgets what was carried out and keeps the memory for the next input.
    package mutating func removeAll() {
        actions.removeAll(keepingCapacity: true)
        bytes.removeAll(keepingCapacity: bytes.capacity <= 1 << 20)
    }

    mutating func append(_ action: Action) {
        actions.append(action)
    }

    /// Appends a reply that `write` puts together.
    mutating func reply(to connection: ConnectionID, _ write: (inout [UInt8]) -> Void) {
        let start = bytes.count
        write(&bytes)
        actions.append(.reply(connection, start..<bytes.count))
    }
}

/// What is told of a publication whose publisher sent a `traceparent`.
package struct TracedPublication: Sendable, Equatable {
    package let trace: TraceParent
    /// Its sequence number; none when it was not stored.
    package let sequence: UInt64?
    /// The sessions that it went to.
    package let matchedCount: Int
}

/// The answer to a publication over HTTP.
package struct PublishReceipt: Sendable, Equatable {
    /// What the publisher can refer to it by.
    package let id: String
    package let channel: ChannelName
    /// Its sequence number; none when it was not stored.
    package let sequence: UInt64?
    /// The sessions that it went to.
    package let matchedCount: Int
}

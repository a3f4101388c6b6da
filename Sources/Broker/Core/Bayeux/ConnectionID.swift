/// Names a connection or a request under way: the event loop that it lives on and its slot there.
///
/// A slot is used again only after the router has released it (`Outbox.Action.release`), so an identifier never
/// means two peers at once, also while messages for it are between two loops.
package struct ConnectionID: Hashable, Sendable, BitwiseCopyable {
    package let loop: UInt32
    package let slot: UInt32

    /// The connection in `slot` of event loop number `loop`.
    package init(loop: UInt32, slot: UInt32) {
        self.loop = loop
        self.slot = slot
    }
}

/// Who sent a batch: the connection and what can be written to it.
package struct Peer: Equatable, Sendable {
    /// The shapes that a transport has.
    package enum Kind: Sendable {
        /// A WebSocket: any number of frames in either direction.
        case socket
        /// One HTTP request: one answer, complete when every message of the batch is answered.
        case exchange
        /// An event stream: messages go out, nothing comes in.
        case stream
    }
    package let connection: ConnectionID
    package let kind: Kind
    package let address: AddressClass

    /// The peer behind `connection`.
    package init(connection: ConnectionID, kind: Kind, address: AddressClass = .unknown) {
        self.connection = connection
        self.address = address
        self.kind = kind
    }
}

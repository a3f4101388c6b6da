/// An extension of the protocol that works on whole messages (RFC 6455 §9), as it is registered with drivers.
///
/// It says what it is called, which reserved bits it claims, and makes a session per connection. One value
/// serves any number of drivers.
public protocol WebSocketExtension: Sendable {
    /// The name in `Sec-WebSocket-Extensions`, a token.
    var name: String { get }

    /// The reserved bits that it claims; of extensions that share a bit only the first is agreed on.
    var reservedBits: ReservedBits { get }

    /// A session that makes offers to a server; `nil` to stay out of the handshake.
    func makeClientSession() -> (any ClientExtensionSession)?

    /// A session for one of a client's offers (at least one, in the client's order of preference) with what to
    /// answer; `nil` to decline them all.
    func makeServerSession(
        for offers: [ExtensionParameters]
    ) -> (session: any ExtensionSession, response: ExtensionParameters)?
}

/// An extension at work on one connection.
///
/// A session is called on its driver's thread. It may finish a message at once, or answer `pending`, copy the
/// payload and finish it elsewhere; then the owner brings the result to the driver's thread and calls `complete`
/// with the token. Messages come in order, in each direction; the next one may come before the last is finished,
/// and they may be finished in any order. Payloads are lent for the call only.
public protocol ExtensionSession: AnyObject {
    /// Undoes what the peer's session did to a message.
    func processIncoming(
        _ payload: RawSpan, _ header: ExtensionMessageHeader, token: ExtensionToken
    ) -> ExtensionOutcome

    /// Does to a message what the peer's session is to undo. A text is valid UTF-8.
    func processOutgoing(
        _ payload: RawSpan, _ header: ExtensionMessageHeader, token: ExtensionToken
    ) -> ExtensionOutcome

    /// The connection is over and nothing of it is pending here; called once, and nothing after it.
    func close()

    /// Gives back memory that the next message does not depend on.
    func releaseIdleMemory()

    /// How a message prepared for many connections is deflated for this one; `nil` if it cannot be.
    var sharedDeflation: DeflateSettings? { get }
}

extension ExtensionSession {
    /// Does nothing.
    public func releaseIdleMemory() {}
    /// `nil`.
    public var sharedDeflation: DeflateSettings? { nil }
}

/// A client's session, which has a handshake before it.
public protocol ClientExtensionSession: ExtensionSession {
    /// What to offer, in order of preference; each is sent as an element of its own.
    var offers: [ExtensionParameters] { get }

    /// Takes the server's response; false if it does not fit what was offered.
    func accept(_ response: ExtensionParameters) -> Bool
}

/// RSV1 to RSV3 of a message's first frame, where they stand in its first byte.
public struct ReservedBits: OptionSet, Hashable, Sendable {
    /// The bits 0x40, 0x20 and 0x10.
    public let rawValue: UInt8

    /// Bits of a frame's first byte; others than the three are dropped.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue & 0x70
    }

    /// RSV1.
    public static let rsv1 = Self(rawValue: 0x40)
    /// RSV2.
    public static let rsv2 = Self(rawValue: 0x20)
    /// RSV3.
    public static let rsv3 = Self(rawValue: 0x10)
}

/// What an extension is told of a message besides its payload.
public struct ExtensionMessageHeader: Hashable, Sendable {
    /// What the message holds, apart from what extensions do to it.
    public var kind: MessageKind
    /// The reserved bits so far.
    public var reservedBits: ReservedBits
    /// The longest payload that may come of it; a session that would exceed it stops and fails with 1009.
    public var maximumBytes: Int
}

/// A message as an extension leaves it. Of the bits only the extension's own count.
public struct ExtensionMessage: Hashable, Sendable {
    /// The reserved bits.
    public var reservedBits: ReservedBits
    /// The payload.
    public var payload: [UInt8]

    /// A message.
    public init(reservedBits: ReservedBits = [], payload: [UInt8]) {
        self.reservedBits = reservedBits
        self.payload = payload
    }
}

/// Why an extension could not process a message. It ends the connection.
public struct ExtensionFailure: Error, Hashable, Sendable {
    /// The code for the Close frame; one that must not be sent becomes 1002.
    public var closeCode: CloseCode
    /// What was wrong, in one line; the driver puts the extension's name before it.
    public var message: String

    /// A failure.
    public init(closeCode: CloseCode = .protocolError, message: String) {
        self.closeCode = closeCode
        self.message = message
    }
}

/// What a session answers.
public enum ExtensionOutcome: Sendable {
    /// The message goes on as it came.
    case unchanged
    /// The message goes on like this.
    case message(ExtensionMessage)
    /// The result will come through the driver's `complete`, with the token.
    case pending
    /// The connection cannot go on.
    case failed(ExtensionFailure)
}

/// Stands for one message in one session, until it is completed.
public struct ExtensionToken: Hashable, Sendable {
    enum Direction { case incoming, outgoing }

    let direction: Direction
    /// Counts the messages of a direction.
    let number: UInt64
    /// How many sessions had the message before.
    let stage: Int
}

/// Why an extension cannot be registered.
public enum ExtensionRegistrationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The name is no token.
    case invalidName(String)
    /// There is one of that name.
    case alreadyRegistered(String)
    /// The handshake is under way or over.
    case tooLate

    /// One line for people.
    public var description: String {
        switch self {
        case .invalidName: "extension.name must be a token"
        case .alreadyRegistered(let name): "An extension with name \"\(name)\" is already registered"
        case .tooLate: "Extensions must be added before the handshake"
        }
    }
}

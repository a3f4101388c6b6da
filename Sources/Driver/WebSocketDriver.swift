/// What both ends of a connection offer, in every version: ``ServerDriver`` and ``ClientDriver``.
///
/// A driver is without I/O. Its owner feeds what it reads to `receive`, writes what `takeOutput` or `drainOutput` give
/// after each call, and closes the transport when `shouldCloseTransport` says so. Time comes in as `now`, in
/// nanoseconds of any monotonic clock.
public protocol WebSocketDriver: ~Copyable {
    /// Where the connection stands.
    var state: DriverState { get }
    /// The protocol's name, such as `hybi-13`; empty before it was agreed on.
    var version: String { get }
    /// The subprotocol that was agreed on, if any.
    var subprotocol: String? { get }

    /// Whether a frame has begun, or a message of several, that is not complete. An owner that gives a message only so
    /// much time counts from where this becomes true.
    var isWithinMessage: Bool { get }

    /// Takes all of what was read. Once closed, it is discarded.
    mutating func receive<S: DriverSink & ~Copyable>(_ bytes: RawSpan, into sink: inout S)

    /// Takes what was read up to the next event, and returns how many bytes that were; the owner acts and
    /// calls again with the rest. With this, an answer to a message goes out before the Close frame that
    /// answers what came right behind it.
    mutating func receiveNext<S: DriverSink & ~Copyable>(_ bytes: RawSpan, into sink: inout S) -> Int

    /// The peer's stream ended: without a closing handshake that is 1006.
    mutating func receiveEnd<S: DriverSink & ~Copyable>(into sink: inout S)

    /// When `advance` has something to do, `nil` for never.
    var nextDeadline: UInt64? { get }

    /// Gives up on a handshake or a closing handshake whose time is over at `now`.
    mutating func advance<S: DriverSink & ~Copyable>(to now: UInt64, into sink: inout S)

    /// Adds a header field to our part of the handshake. False if it is too late, the name is no token or one that the
    /// driver writes, or the value has control or non-ASCII characters. Of a name, the first value counts.
    @discardableResult
    mutating func setHeader(_ name: String, _ value: String) -> Bool

    /// Registers an extension for the handshake; the order is the order of preference.
    mutating func addExtension(_ added: any WebSocketExtension) throws(ExtensionRegistrationError)

    /// Takes what a session of an extension finished. Messages that can go on by it are written or reported, in their
    /// order, and so is what waited for them. A token counts once.
    mutating func complete<S: DriverSink & ~Copyable>(
        _ token: ExtensionToken, _ result: Result<ExtensionMessage, ExtensionFailure>, into sink: inout S)

    /// Gives back the memory of extensions that the next message does not depend on; for a connection that is idle.
    mutating func releaseIdleMemory()

    /// Sends a message. False, and nothing sent, if a text is not UTF-8, the version has no such kind, the connection is
    /// closing or closed, or too much was queued before it is open.
    @discardableResult
    mutating func send(_ kind: MessageKind, _ payload: RawSpan) -> Bool

    /// Sends a Ping of at most 125 bytes, and has `onPong` called when the peer has answered it, or a later one (RFC
    /// 6455 §5.5.3); never if the connection ends before. The closure runs within `receive`, before the sink's `pong`,
    /// and like a sink it must not call the driver. False as for a message, if the payload is longer, or if
    /// 128 closures wait already.
    @discardableResult
    mutating func ping(_ payload: RawSpan, onPong: (() -> Void)?) -> Bool

    /// Sends a Pong of at most 125 bytes that nobody asked for; false as for a Ping. Pings are answered without it.
    @discardableResult
    mutating func pong(_ payload: RawSpan) -> Bool

    /// Starts the closing handshake, with at most 123 bytes of `reason`; 1005 sends neither code nor reason.
    ///
    /// Before the connection is open, it is closed at once and nothing is written; `closed` is reported by the next
    /// call that has a sink. False if it is closing already, or the code must not be sent.
    @discardableResult
    mutating func close(_ code: CloseCode, reason: String, now: UInt64) -> Bool

    /// Whether there are bytes to write.
    var hasOutput: Bool { get }

    /// The bytes to write, which are then the caller's.
    mutating func takeOutput() -> [UInt8]

    /// Lends the bytes to write; unless `body` throws they are gone afterwards. Keeps their memory in the scratch.
    mutating func drainOutput<R>(_ body: (RawSpan) throws -> R) rethrows -> R

    /// Whether all has been said: write the output, then close the transport.
    var shouldCloseTransport: Bool { get }
}

extension WebSocketDriver where Self: ~Copyable {
    /// Sends a text; false as for any message.
    @discardableResult
    public mutating func text(_ payload: RawSpan) -> Bool {
        send(.text, payload)
    }

    /// Sends a text; false as for any message.
    @discardableResult
    public mutating func text(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { send(.text, UnsafeRawBufferPointer($0).bytes) }
    }

    /// Sends bytes; false as for any message, and in the hixie drafts, which have texts only.
    @discardableResult
    public mutating func binary(_ payload: RawSpan) -> Bool {
        send(.binary, payload)
    }

    /// Sends a Ping of at most 125 bytes; false as for a message, or if it is longer.
    @discardableResult
    public mutating func ping(_ payload: RawSpan = RawSpan()) -> Bool {
        ping(payload, onPong: nil)
    }

    /// Starts the closing handshake; false as with a reason.
    @discardableResult
    public mutating func close(_ code: CloseCode = .normal, now: UInt64) -> Bool {
        close(code, reason: "", now: now)
    }
}

/// Where a driver's events go, in the order in which they happened.
///
/// A sink parses and stores; its owner acts when the driver's call has returned. A sink never calls the
/// driver that calls it, nor `receive` of another one with the same ``DriverScratch``. Payloads are lent for
/// the call only. Every method does nothing unless it is implemented.
public protocol DriverSink: ~Copyable {
    /// Server: the head of a WebSocket handshake is complete. The owner then calls `start` or `refuse`.
    mutating func connect(_ request: borrowing RequestHead)

    /// Server from raw bytes: a valid HTTP request, but no WebSocket handshake. The driver is done; the owner
    /// gives the bytes of `takeReceivedBytes()` and all that follow to its HTTP side.
    mutating func request(_ head: borrowing RequestHead)

    /// The handshake succeeded.
    mutating func open()

    /// A whole message; a text is valid UTF-8 (in hixie, bytes that are not are replaced with U+FFFD).
    mutating func message(_ payload: RawSpan, kind: MessageKind)

    /// A Ping arrived, and was answered.
    mutating func ping(_ payload: RawSpan)

    /// A Pong arrived.
    mutating func pong(_ payload: RawSpan)

    /// The peer broke the protocol, or the handshake failed; ``closed(_:reason:)`` follows at once.
    mutating func failed(_ violation: ProtocolViolation)

    /// The connection is over, once per driver: the peer's code and reason, or those of the violation,
    /// or 1006 when the stream ended (or a deadline passed) without a closing handshake. The hixie drafts have
    /// no codes: there an end that either side asked for is 1005 with an empty reason, in hixie-75 every end.
    mutating func closed(_ code: CloseCode, reason: String)
}

extension DriverSink where Self: ~Copyable {
    /// Does nothing.
    public mutating func connect(_ request: borrowing RequestHead) {}
    /// Does nothing.
    public mutating func request(_ head: borrowing RequestHead) {}
    /// Does nothing.
    public mutating func open() {}
    /// Does nothing.
    public mutating func message(_ payload: RawSpan, kind: MessageKind) {}
    /// Does nothing.
    public mutating func ping(_ payload: RawSpan) {}
    /// Does nothing.
    public mutating func pong(_ payload: RawSpan) {}
    /// Does nothing.
    public mutating func failed(_ violation: ProtocolViolation) {}
    /// Does nothing.
    public mutating func closed(_ code: CloseCode, reason: String) {}
}

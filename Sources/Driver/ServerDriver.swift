/// The server's end of one WebSocket connection, without I/O: bytes and calls in, bytes and events out.
///
/// It is used as ``WebSocketDriver`` says; its owner also answers `connect` with `start` or `refuse`. What one
/// `receive` puts out is never longer than what came in, but for a handshake's answer and one Close frame: an owner
/// that stops reading while its output is stuck bounds both.
public struct ServerDriver: ~Copyable {
    enum Phase {
        /// Until the empty line of the request.
        case readingHead
        /// The owner has the word.
        case awaitingStart
        /// In hixie-76: the head of the answer is out, the challenge's body is awaited.
        case readingChallenge
        /// The handshake was accepted: frames.
        case framing
        /// The same in hixie-75 and hixie-76.
        case hixieFraming
        /// An HTTP request: the bytes are the owner's.
        case handedOver
        /// Refused, or closed without frames that could say so.
        case over
    }
    /// A close that no sink has been told of; apart, for it is seldom there.
    private indirect enum UnreportedClose {
        case close(CloseCode, reason: String)
    }

    /// How long a closing handshake may take (ns).
    let closeTimeout: UInt64
    var phase: Phase
    /// Until the connection is open.
    var pending: PendingHandshake?
    /// While `framing`.
    var connection: HybiConnection
    /// While `readingChallenge` or `hixieFraming`.
    var hixie: HixieConnection?
    var output: OutputBuffer
    private var unreported: UnreportedClose?

    /// The protocol that was agreed on, `nil` before.
    public internal(set) var selectedVersion: WebSocketVersion?
    /// The subprotocol that was agreed on, if any.
    public internal(set) var subprotocol: String?

    /// A driver that reads the request itself.
    ///
    /// `scratch` is best shared by all drivers of a thread; `now` starts the time for the handshake.
    public init(options: DriverOptions = .init(), scratch: DriverScratch = .init(), now: UInt64 = 0) {
        self.init(phase: .readingHead, request: nil, options: options, scratch: scratch, now: now)
    }

    /// A driver for a request whose head the owner's HTTP stack has read: `connect` is not reported, and what
    /// `receive` gets is what followed the head. The owner calls `start` or `refuse`.
    public init(
        request: RequestHead, options: DriverOptions = .init(), scratch: DriverScratch = .init(), now: UInt64 = 0
    ) {
        self.init(phase: .awaitingStart, request: request, options: options, scratch: scratch, now: now)
    }

    private init(phase: Phase, request: RequestHead?, options: DriverOptions, scratch: DriverScratch, now: UInt64) {
        closeTimeout = options.closeTimeout.nanoseconds
        self.phase = phase
        let pending = PendingHandshake(options: options, now: now)
        pending.request = request
        self.pending = pending
        connection = HybiConnection(
            isServer: true, maximumMessageBytes: options.maximumMessageBytes, scratch: scratch)
        output = OutputBuffer(scratch: scratch)
    }

    /// Whether a request is a WebSocket handshake of any version, and so for a driver instead of the HTTP side:
    /// `Connection` has `upgrade` and `Upgrade` has `websocket`. It may still be one that `start` refuses.
    public static func isWebSocketRequest(_ head: RequestHead) -> Bool {
        VersionSelection.isWebSocket(head)
    }

    /// The connection is over, or never was one; `close`, if any, is for the next call with a sink.
    mutating func end(unreported close: (code: CloseCode, reason: String)? = nil) {
        phase = .over
        pending = nil
        hixie = nil
        unreported = close.map { .close($0.code, reason: $0.reason) }
    }

    mutating func reportClose<S: DriverSink & ~Copyable>(into sink: inout S) {
        guard case .close(let code, let reason)? = unreported else { return }
        unreported = nil
        sink.closed(code, reason: reason)
    }
}

/// What the owner can ask.
extension ServerDriver: WebSocketDriver {
    /// See ``WebSocketDriver``.
    public var state: DriverState {
        switch phase {
        case .readingHead, .awaitingStart, .readingChallenge: .connecting
        case .framing: connection.state
        case .hixieFraming: .open
        case .handedOver, .over: .closed
        }
    }

    /// See ``WebSocketDriver``.
    public var version: String { selectedVersion?.rawValue ?? "" }

    /// The form in which this connection takes a ``PreparedMessage`` that the owner writes itself, behind the output
    /// so far; `nil` if the connection is not open, or its extensions have to see each message (then `text` or
    /// `binary` sends it).
    public var wireForm: PreparedMessage.WireForm? {
        switch phase {
        case .framing: connection.wireForm
        case .hixieFraming: .hixie
        case .readingHead, .awaitingStart, .readingChallenge, .handedOver, .over: nil
        }
    }

    /// See ``WebSocketDriver``.
    public var nextDeadline: UInt64? { phase == .framing ? connection.deadline : pending?.deadline }

    /// See ``WebSocketDriver``.
    public var isWithinMessage: Bool {
        switch phase {
        case .framing: connection.isWithinMessage
        case .hixieFraming: hixie?.isWithinMessage ?? false
        case .readingHead, .awaitingStart, .readingChallenge, .handedOver, .over: false
        }
    }

    /// How many bytes there is room for, of payloads that have not come as a whole; without what the scratch holds.
    package var reservedByteCount: Int { connection.reservedByteCount + (hixie?.reservedByteCount ?? 0) }

    /// See ``WebSocketDriver``.
    public var hasOutput: Bool { !output.isEmpty }

    /// See ``WebSocketDriver``.
    public mutating func takeOutput() -> [UInt8] { output.take() }

    /// See ``WebSocketDriver``.
    public mutating func drainOutput<R>(_ body: (RawSpan) throws -> R) rethrows -> R { try output.drain(body) }

    /// See ``WebSocketDriver``.
    public var shouldCloseTransport: Bool { phase != .handedOver && state == .closed }
}

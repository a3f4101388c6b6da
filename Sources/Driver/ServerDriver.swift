/// The server's end of one WebSocket connection, without I/O: bytes and calls in, bytes and events out.
///
/// The owner feeds what it reads to `receive`, answers `connect` with `start` or `refuse`, writes what
/// `takeOutput` or `drainOutput` give after each call, and closes the transport when `shouldCloseTransport` says
/// so. Time comes in as `now`, in nanoseconds of any monotonic clock; an owner that passes none never calls
/// `advance`. What one `receive` puts out is never longer than what came in, but for a handshake's answer
/// and one Close frame: an owner that stops reading while its output is stuck bounds both.
public struct ServerDriver: ~Copyable {
    private enum Phase {
        /// Until the empty line of the request.
        case readingHead
        /// The owner has the word.
        case awaitingStart
        /// The handshake was accepted: frames.
        case framing
        /// An HTTP request: the bytes are the owner's.
        case handedOver
        /// Refused, or given up before it was open.
        case over
    }

    private let options: DriverOptions
    private var phase: Phase
    private var pending: PendingHandshake?
    private var connection: HybiConnection
    private var output: OutputBuffer
    /// A close before the handshake was over, still to be reported to a sink.
    private var unreported: (code: CloseCode, reason: String)?

    /// The protocol that was agreed on, `nil` before.
    public private(set) var selectedVersion: WebSocketVersion?
    /// The subprotocol that was agreed on, if any.
    public private(set) var subprotocol: String?

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
        self.options = options
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
}

/// What the owner can ask.
extension ServerDriver {
    /// Where the connection stands.
    public var state: DriverState {
        switch phase {
        case .readingHead, .awaitingStart: .connecting
        case .framing: connection.state
        case .handedOver, .over: .closed
        }
    }

    /// The protocol's name, such as `hybi-13`; empty before it was agreed on.
    public var version: String { selectedVersion?.rawValue ?? "" }

    /// The request, from `connect` until `start` or `refuse`; then it is released, for an open connection should
    /// be small.
    public var request: RequestHead? { pending?.request }

    /// What `start` would refuse the request for; `nil` if it would accept, or there is no request to judge.
    public var handshakeViolation: ProtocolViolation? {
        guard let request else { return nil }
        do throws(ProtocolViolation) {
            let version = try VersionSelection.select(request, from: options.versions)
            _ = try ServerHandshake(request, version: version, subprotocols: options.subprotocols)
            return nil
        } catch {
            return error
        }
    }

    /// The form in which this connection takes a ``PreparedMessage`` that the owner writes itself, behind the output
    /// so far; `nil` if the connection is not open, or its extensions have to see each message (then `text` or
    /// `binary` sends it).
    public var wireForm: PreparedMessage.WireForm? { phase == .framing ? connection.wireForm : nil }

    /// Whether there are bytes to write.
    public var hasOutput: Bool { !output.isEmpty }

    /// The bytes to write, which are then the caller's.
    public mutating func takeOutput() -> [UInt8] { output.take() }

    /// Lends the bytes to write; unless `body` throws they are gone afterwards. Keeps their memory in the scratch.
    public mutating func drainOutput<R>(_ body: (RawSpan) throws -> R) rethrows -> R { try output.drain(body) }

    /// Whether all has been said: write the output, then close the transport.
    public var shouldCloseTransport: Bool { phase != .handedOver && state == .closed }

    /// When `advance` has something to do, `nil` for never.
    public var nextDeadline: UInt64? { phase == .framing ? connection.deadline : pending?.deadline }
}

/// The peer's side.
extension ServerDriver {
    /// Takes all of what was read. Once closed, it is discarded.
    public mutating func receive<S: DriverSink & ~Copyable>(_ bytes: RawSpan, into sink: inout S) {
        bytes.withUnsafeBytes { input in
            var offset = 0
            while offset < input.count { step(input, &offset, into: &sink) }
        }
    }

    /// Takes what was read up to the next event, and returns how many bytes that were; the owner acts and
    /// calls again with the rest. With this, an answer to a message goes out before the Close frame that
    /// answers what came right behind it.
    public mutating func receiveNext<S: DriverSink & ~Copyable>(_ bytes: RawSpan, into sink: inout S) -> Int {
        bytes.withUnsafeBytes { input in
            var offset = 0
            step(input, &offset, into: &sink)
            return offset
        }
    }

    /// Reads one event, or all of the input if it ends before.
    private mutating func step<S: DriverSink & ~Copyable>(
        _ input: UnsafeRawBufferPointer, _ offset: inout Int, into sink: inout S
    ) {
        switch phase {
        case .readingHead:
            readHead(input, &offset, into: &sink)
        case .framing:
            guard let event = connection.next(input, &offset) else { return }
            connection.deliver(event, key: nil, output: &output, into: &sink)
        case .awaitingStart, .handedOver:
            keep(UnsafeRawBufferPointer(rebasing: input[offset...]), into: &sink)
            offset = input.count
        case .over:
            reportClose(into: &sink)
            offset = input.count
        }
    }

    /// The peer's stream ended: without a closing handshake that is 1006.
    public mutating func receiveEnd<S: DriverSink & ~Copyable>(into sink: inout S) {
        reportClose(into: &sink)
        switch phase {
        case .readingHead, .awaitingStart:
            end()
            sink.closed(.abnormal, reason: "")
        case .framing:
            connection.settle(key: nil, output: &output, into: &sink)
            connection.receiveEnd(into: &sink)
        case .handedOver, .over:
            break
        }
    }

    /// Gives up on a handshake (408 or 503) or a closing handshake (1006) whose time is over at `now`.
    public mutating func advance<S: DriverSink & ~Copyable>(to now: UInt64, into sink: inout S) {
        reportClose(into: &sink)
        switch phase {
        case .readingHead, .awaitingStart:
            guard let pending, pending.deadline <= now else { return }
            fail(phase == .readingHead ? .requestTimeout : .answerTimeout, into: &sink)
        case .framing:
            connection.settle(key: nil, output: &output, into: &sink)
            connection.advance(to: now, into: &sink)
        case .handedOver, .over:
            break
        }
    }

    /// Takes what a session of an extension finished. Messages that can go on by it are written or reported, in their
    /// order, and so is what waited for them. A token counts once.
    public mutating func complete<S: DriverSink & ~Copyable>(
        _ token: ExtensionToken, _ result: Result<ExtensionMessage, ExtensionFailure>, into sink: inout S
    ) {
        guard phase == .framing else { return }
        for result in connection.complete(token, result) {
            connection.deliver(result, from: token, key: nil, output: &output, into: &sink)
        }
        connection.settle(key: nil, output: &output, into: &sink)
    }

    private mutating func readHead<S: DriverSink & ~Copyable>(
        _ input: UnsafeRawBufferPointer, _ offset: inout Int, into sink: inout S
    ) {
        guard let pending else { preconditionFailure("Cannot read a head when the handshake is over") }
        do throws(ProtocolViolation) {
            guard try pending.reader.read(input, &offset) else { return }
            let head = try HTTPHeadParser.parseRequest(pending.reader.bytes)
            if VersionSelection.isWebSocket(head) {
                pending.request = head
                phase = .awaitingStart
                sink.connect(head)
            } else {
                phase = .handedOver
                sink.request(head)
            }
        } catch {
            fail(error, into: &sink)
        }
    }

    private mutating func keep<S: DriverSink & ~Copyable>(_ bytes: UnsafeRawBufferPointer, into sink: inout S) {
        guard let pending, !pending.keep(bytes), phase == .awaitingStart else { return }
        fail(.prematureData, into: &sink)
    }

    private mutating func reportClose<S: DriverSink & ~Copyable>(into sink: inout S) {
        guard let (code, reason) = unreported else { return }
        unreported = nil
        sink.closed(code, reason: reason)
    }

    /// Refuses a handshake that the peer spoiled.
    private mutating func fail<S: DriverSink & ~Copyable>(_ violation: ProtocolViolation, into sink: inout S) {
        writeRefusal(status: violation.httpStatus ?? 400, reason: violation.message)
        end()
        sink.failed(violation)
        sink.closed(violation.closeCode, reason: violation.message)
    }

    private mutating func writeRefusal(status: Int, reason: String) {
        let headers = pending?.headers ?? HandshakeHeaders()
        output.append(
            ServerHandshake.refusal(status: status, reason: reason, headers: headers, versions: options.versions))
    }

    private mutating func end() {
        phase = .over
        pending = nil
    }
}

/// The owner's side.
extension ServerDriver {
    /// Answers the request: accepts it (101, then what was queued, then `open`, then what the client sent
    /// meanwhile is read) or refuses it as its violation demands. False if it was refused, or nothing was asked.
    @discardableResult
    public mutating func start<S: DriverSink & ~Copyable>(into sink: inout S) -> Bool {
        reportClose(into: &sink)
        guard phase == .awaitingStart, let pending, let request = pending.request else { return false }
        let handshake: ServerHandshake
        do throws(ProtocolViolation) {
            let version = try VersionSelection.select(request, from: options.versions)
            handshake = try ServerHandshake(request, version: version, subprotocols: options.subprotocols)
        } catch {
            fail(error, into: &sink)
            return false
        }
        selectedVersion = handshake.version
        subprotocol = handshake.subprotocol
        let agreed = pending.extensions.accept(handshake.extensionOffers)
        output.append(handshake.response(pending.headers, extensions: agreed?.response))
        connection.use(agreed?.members ?? [])
        for (opcode, payload) in pending.queue {
            _ = payload.withUnsafeBytes { connection.send(opcode, $0, key: nil, output: &output) }
        }
        phase = .framing
        self.pending = nil
        sink.open()
        receive(pending.earlyBytes.span.bytes, into: &sink)
        return true
    }

    /// Answers a request (or an incomplete one) with `status` (300…599, anything else becomes 500) and a plain
    /// text, then closes: 1006. Does nothing when the handshake is over.
    public mutating func refuse<S: DriverSink & ~Copyable>(status: Int, reason: String, into sink: inout S) {
        reportClose(into: &sink)
        guard state == .connecting else { return }
        writeRefusal(status: 300...599 ~= status ? status : 500, reason: reason)
        end()
        sink.closed(.abnormal, reason: reason)
    }

    /// Adds a header field to the answer. False if the handshake is over, the name is no token or one that the
    /// driver writes, or the value has control or non-ASCII characters. Of a name, the first value counts.
    @discardableResult
    public mutating func setHeader(_ name: String, _ value: String) -> Bool {
        guard state == .connecting, let pending else { return false }
        return pending.headers.set(name, value)
    }

    /// After `request`: all bytes that came, but for empty lines before the head; the owner's HTTP stack replays them.
    public mutating func takeReceivedBytes() -> [UInt8] {
        guard phase == .handedOver, let pending else { return [] }
        self.pending = nil
        return pending.reader.original + pending.earlyBytes
    }

    /// Registers an extension for the handshake; the order is the order of preference.
    public mutating func addExtension(_ added: any WebSocketExtension) throws(ExtensionRegistrationError) {
        guard state == .connecting, let pending else { throw .tooLate }
        try pending.extensions.add(added)
    }

    /// Gives back the memory of extensions that the next message does not depend on; for a connection that is idle.
    public mutating func releaseIdleMemory() {
        connection.releaseIdleMemory()
    }

    /// Sends a text. False, and nothing sent, if it is not UTF-8, the connection is closing or closed, or too much
    /// was queued before it is open.
    @discardableResult
    public mutating func text(_ payload: RawSpan) -> Bool {
        payload.withUnsafeBytes { UTF8Validator.isValid($0) && send(.text, $0) }
    }

    /// Sends a text; false as for bytes.
    @discardableResult
    public mutating func text(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { send(.text, UnsafeRawBufferPointer($0)) }
    }

    /// Sends bytes; false as for a text.
    @discardableResult
    public mutating func binary(_ payload: RawSpan) -> Bool {
        payload.withUnsafeBytes { send(.binary, $0) }
    }

    /// Sends a Ping of at most 125 bytes; false as for a text, or if it is longer.
    @discardableResult
    public mutating func ping(_ payload: RawSpan) -> Bool {
        payload.withUnsafeBytes { $0.count <= 125 && send(.ping, $0) }
    }

    /// Sends a Pong of at most 125 bytes that nobody asked for; false as for a Ping. Pings are answered without it.
    @discardableResult
    public mutating func pong(_ payload: RawSpan) -> Bool {
        payload.withUnsafeBytes { $0.count <= 125 && send(.pong, $0) }
    }

    /// Starts the closing handshake, with at most 123 bytes of `reason`; 1005 sends neither code nor reason.
    ///
    /// Before the connection is open, it is closed at once and nothing is written; `closed` is reported by the next
    /// call that has a sink. False if it is closing already, or the code must not be sent.
    @discardableResult
    public mutating func close(_ code: CloseCode = .normal, reason: String = "", now: UInt64) -> Bool {
        guard code.isAllowedOnWire || code == .noStatus else { return false }
        switch phase {
        case .readingHead, .awaitingStart:
            end()
            unreported = (code, reason)
            return true
        case .framing:
            let deadline = options.closeTimeout.deadline(after: now)
            return connection.close(code, reason: reason, deadline: deadline, key: nil, output: &output)
        case .handedOver, .over:
            return false
        }
    }

    private mutating func send(_ opcode: Opcode, _ payload: UnsafeRawBufferPointer) -> Bool {
        switch state {
        case .connecting:
            return pending?.enqueue(opcode, payload) ?? false
        case .open:
            return connection.send(opcode, payload, key: nil, output: &output)
        case .idle, .closing, .closed:
            return false
        }
    }
}

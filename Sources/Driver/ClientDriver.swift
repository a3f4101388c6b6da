/// The client's end of one WebSocket connection, without I/O; used as ``ServerDriver`` is.
///
/// The owner connects (and does TLS for `wss:`) before it writes what `start` put out. Every frame is masked with
/// four fresh bytes of the generator, which should be a cryptographic one (RFC 6455 §10.3).
public struct ClientDriver<Generator: RandomNumberGenerator>: ~Copyable {
    private enum Phase {
        /// Not started.
        case idle
        /// Until the empty line of the response.
        case readingHead
        /// The handshake succeeded: frames.
        case framing
        /// Failed, or given up before it was open.
        case over
    }

    private let options: DriverOptions
    private let handshake: ClientHandshake
    private var generator: Generator
    private var phase = Phase.idle
    private var pending: PendingHandshake?
    private var connection: HybiConnection
    private var output: OutputBuffer
    /// A close before the handshake was over, still to be reported to a sink.
    private var unreported: (code: CloseCode, reason: String)?

    /// The subprotocol that the server chose, if any.
    public private(set) var subprotocol: String?
    /// The status of the server's response, also of one that failed the handshake.
    public private(set) var status: Int?
    /// The header fields of the server's response.
    public private(set) var responseHeaders: HeaderFields?

    /// A client for `url`; `now` starts the time for the handshake.
    public init(
        url: WebSocketURL, options: DriverOptions = .init(), generator: Generator,
        scratch: DriverScratch = .init(), now: UInt64 = 0
    ) {
        self.options = options
        self.generator = generator
        handshake = ClientHandshake(
            url: url, key: AcceptKey.make(using: &self.generator), subprotocols: options.subprotocols)
        pending = PendingHandshake(options: options, now: now)
        connection = HybiConnection(
            isServer: false, maximumMessageBytes: options.maximumMessageBytes, scratch: scratch)
        output = OutputBuffer(scratch: scratch)
    }
}

extension ClientDriver where Generator == SystemRandomNumberGenerator {
    /// A client for `url` with the system's random numbers.
    public init(
        url: WebSocketURL, options: DriverOptions = .init(), scratch: DriverScratch = .init(), now: UInt64 = 0
    ) {
        self.init(url: url, options: options, generator: .init(), scratch: scratch, now: now)
    }
}

/// What the owner can ask.
extension ClientDriver: WebSocketDriver {
    /// See ``WebSocketDriver``.
    public var state: DriverState {
        switch phase {
        case .idle: .idle
        case .readingHead: .connecting
        case .framing: connection.state
        case .over: .closed
        }
    }

    /// `hybi-13`; a client speaks no other.
    public var version: String { WebSocketVersion.hybi13.rawValue }

    /// The URL that the driver was made for.
    public var url: WebSocketURL { handshake.url }

    /// See ``WebSocketDriver``.
    public var hasOutput: Bool { !output.isEmpty }

    /// See ``WebSocketDriver``.
    public mutating func takeOutput() -> [UInt8] { output.take() }

    /// See ``WebSocketDriver``.
    public mutating func drainOutput<R>(_ body: (RawSpan) throws -> R) rethrows -> R { try output.drain(body) }

    /// See ``WebSocketDriver``.
    public var shouldCloseTransport: Bool { state == .closed }

    /// See ``WebSocketDriver``.
    public var nextDeadline: UInt64? { phase == .framing ? connection.deadline : pending?.deadline }

    /// See ``WebSocketDriver``.
    public var isWithinMessage: Bool { phase == .framing && connection.isWithinMessage }
}

/// The peer's side.
extension ClientDriver {
    /// See ``WebSocketDriver``.
    public mutating func receive<S: DriverSink & ~Copyable>(_ bytes: RawSpan, into sink: inout S) {
        bytes.withUnsafeBytes { input in
            var offset = 0
            while offset < input.count { step(input, &offset, into: &sink) }
        }
    }

    /// See ``WebSocketDriver``.
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
            let key = event.mayNeedAnswer ? nextKey() : nil
            connection.deliver(event, key: key, output: &output, into: &sink)
        case .idle:
            offset = input.count
        case .over:
            reportClose(into: &sink)
            offset = input.count
        }
    }

    /// See ``WebSocketDriver``.
    public mutating func receiveEnd<S: DriverSink & ~Copyable>(into sink: inout S) {
        reportClose(into: &sink)
        switch phase {
        case .idle, .readingHead:
            end()
            sink.closed(.abnormal, reason: "")
        case .framing:
            let key = nextKey()
            connection.settle(key: key, output: &output, into: &sink)
            connection.receiveEnd(into: &sink)
        case .over:
            break
        }
    }

    /// Gives up on a handshake (1002) or a closing handshake (1006) whose time is over at `now`.
    public mutating func advance<S: DriverSink & ~Copyable>(to now: UInt64, into sink: inout S) {
        reportClose(into: &sink)
        switch phase {
        case .idle, .readingHead:
            guard let pending, pending.deadline <= now else { return }
            fail(.responseTimeout, into: &sink)
        case .framing:
            let key = nextKey()
            connection.settle(key: key, output: &output, into: &sink)
            connection.advance(to: now, into: &sink)
        case .over:
            break
        }
    }

    /// See ``WebSocketDriver``.
    public mutating func complete<S: DriverSink & ~Copyable>(
        _ token: ExtensionToken, _ result: Result<ExtensionMessage, ExtensionFailure>, into sink: inout S
    ) {
        guard phase == .framing else { return }
        for result in connection.complete(token, result) {
            let key = nextKey()
            connection.deliver(result, from: token, key: key, output: &output, into: &sink)
        }
        let key = nextKey()
        connection.settle(key: key, output: &output, into: &sink)
    }

    private mutating func readHead<S: DriverSink & ~Copyable>(
        _ input: UnsafeRawBufferPointer, _ offset: inout Int, into sink: inout S
    ) {
        guard let pending else { preconditionFailure("Cannot read a head when the handshake is over") }
        do throws(ProtocolViolation) {
            guard try readResponse(pending, input, &offset) else { return }
        } catch {
            return fail(error, into: &sink)
        }
        phase = .framing
        self.pending = nil
        for frame in pending.queue {
            let key = nextKey()
            frame.payload.withUnsafeBytes {
                _ = connection.send(frame.opcode, $0, onPong: frame.onPong, key: key, output: &output)
            }
        }
        sink.open()
    }

    private mutating func readResponse(
        _ pending: PendingHandshake, _ input: UnsafeRawBufferPointer, _ offset: inout Int
    ) throws(ProtocolViolation) -> Bool {
        let isComplete: Bool
        do throws(ProtocolViolation) {
            isComplete = try pending.reader.read(input, &offset)
        } catch {
            throw .invalidResponse
        }
        guard isComplete else { return false }
        guard let response = HTTPHeadParser.parseResponse(pending.reader.bytes) else { throw .invalidResponse }
        status = response.status
        responseHeaders = response.headers
        subprotocol = try handshake.check(response)
        connection.use(try pending.extensions.check(response.headers))
        return true
    }

    private mutating func reportClose<S: DriverSink & ~Copyable>(into sink: inout S) {
        guard let (code, reason) = unreported else { return }
        unreported = nil
        sink.closed(code, reason: reason)
    }

    /// The handshake failed; nothing is written.
    private mutating func fail<S: DriverSink & ~Copyable>(_ violation: ProtocolViolation, into sink: inout S) {
        end()
        sink.failed(violation)
        sink.closed(violation.closeCode, reason: violation.message)
    }

    private mutating func end() {
        phase = .over
        pending = nil
    }
}

/// The owner's side.
extension ClientDriver {
    /// Puts the handshake's request into the output. False if it was started before, or a subprotocol of the options
    /// is no token (RFC 6455 §4.1).
    @discardableResult
    public mutating func start() -> Bool {
        guard phase == .idle, let pending, options.subprotocols.allSatisfy(ASCII.isToken) else { return false }
        phase = .readingHead
        output.append(handshake.request(pending.headers, extensions: pending.extensions.makeOffers()))
        return true
    }

    /// Adds a header field to the request, as ``WebSocketDriver/setHeader(_:_:)`` says, before `start`. `Authorization`
    /// replaces what the URL says.
    @discardableResult
    public mutating func setHeader(_ name: String, _ value: String) -> Bool {
        guard phase == .idle, let pending else { return false }
        return pending.headers.set(name, value)
    }

    /// See ``WebSocketDriver``.
    public mutating func addExtension(_ added: any WebSocketExtension) throws(ExtensionRegistrationError) {
        guard phase == .idle, let pending else { throw .tooLate }
        try pending.extensions.add(added)
    }

    /// See ``WebSocketDriver``.
    public mutating func releaseIdleMemory() {
        connection.releaseIdleMemory()
    }

    /// See ``WebSocketDriver``.
    @discardableResult
    public mutating func send(_ kind: MessageKind, _ payload: RawSpan) -> Bool {
        payload.withUnsafeBytes { bytes in
            guard kind == .binary || UTF8Validator.isValid(bytes) else { return false }
            return send(Opcode(kind), bytes)
        }
    }

    /// See ``WebSocketDriver``.
    @discardableResult
    public mutating func ping(_ payload: RawSpan, onPong: (() -> Void)?) -> Bool {
        payload.withUnsafeBytes { $0.count <= 125 && send(.ping, $0, onPong: onPong) }
    }

    /// See ``WebSocketDriver``.
    @discardableResult
    public mutating func pong(_ payload: RawSpan) -> Bool {
        payload.withUnsafeBytes { $0.count <= 125 && send(.pong, $0) }
    }

    /// See ``WebSocketDriver``.
    @discardableResult
    public mutating func close(_ code: CloseCode, reason: String, now: UInt64) -> Bool {
        guard code.isAllowedOnWire || code == .noStatus else { return false }
        switch phase {
        case .idle, .readingHead:
            end()
            unreported = (code, reason)
            return true
        case .framing:
            let deadline = options.closeTimeout.deadline(after: now)
            let key = nextKey()
            return connection.close(code, reason: reason, deadline: deadline, key: key, output: &output)
        case .over:
            return false
        }
    }

    private mutating func send(
        _ opcode: Opcode, _ payload: UnsafeRawBufferPointer, onPong: (() -> Void)? = nil
    ) -> Bool {
        switch phase {
        case .idle, .readingHead:
            return pending?.enqueue(opcode, payload, onPong: onPong) ?? false
        case .framing:
            let key = nextKey()
            return connection.send(opcode, payload, onPong: onPong, key: key, output: &output)
        case .over:
            return false
        }
    }

    private mutating func nextKey() -> MaskingKey {
        MaskingKey(littleEndian: generator.next())
    }
}

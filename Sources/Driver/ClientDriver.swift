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
extension ClientDriver {
    /// Where the connection stands.
    public var state: DriverState {
        switch phase {
        case .idle: .idle
        case .readingHead: .connecting
        case .framing: connection.state
        case .over: .closed
        }
    }

    /// The protocol's name, `hybi-13`.
    public var version: String { WebSocketVersion.hybi13.rawValue }

    /// The URL that the driver was made for.
    public var url: WebSocketURL { handshake.url }

    /// Whether there are bytes to write.
    public var hasOutput: Bool { !output.isEmpty }

    /// The bytes to write, which are then the caller's.
    public mutating func takeOutput() -> [UInt8] { output.take() }

    /// Lends the bytes to write; unless `body` throws they are gone afterwards. Keeps their memory in the scratch.
    public mutating func drainOutput<R>(_ body: (RawSpan) throws -> R) rethrows -> R { try output.drain(body) }

    /// Whether all has been said: write the output, then close the transport.
    public var shouldCloseTransport: Bool { state == .closed }

    /// When `advance` has something to do, `nil` for never.
    public var nextDeadline: UInt64? { phase == .framing ? connection.deadline : pending?.deadline }
}

/// The peer's side.
extension ClientDriver {
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
            let key = event.mayNeedAnswer ? nextKey() : nil
            connection.deliver(event, key: key, output: &output, into: &sink)
        case .idle:
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

    /// Takes what a session of an extension finished. Messages that can go on by it are written or reported, in their
    /// order, and so is what waited for them. A token counts once.
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
        for (opcode, payload) in pending.queue {
            let key = nextKey()
            _ = payload.withUnsafeBytes { connection.send(opcode, $0, key: key, output: &output) }
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

    /// Adds a header field to the request. False after `start`, if the name is no token or one that the driver writes,
    /// or if the value has control or non-ASCII characters. `Authorization` replaces what the URL says.
    @discardableResult
    public mutating func setHeader(_ name: String, _ value: String) -> Bool {
        guard phase == .idle, let pending else { return false }
        return pending.headers.set(name, value)
    }

    /// Registers an extension for the handshake; the order is the order of preference.
    public mutating func addExtension(_ added: any WebSocketExtension) throws(ExtensionRegistrationError) {
        guard phase == .idle, let pending else { throw .tooLate }
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

    private mutating func send(_ opcode: Opcode, _ payload: UnsafeRawBufferPointer) -> Bool {
        switch state {
        case .idle, .connecting:
            return pending?.enqueue(opcode, payload) ?? false
        case .open:
            let key = nextKey()
            return connection.send(opcode, payload, key: key, output: &output)
        case .closing, .closed:
            return false
        }
    }

    private mutating func nextKey() -> MaskingKey {
        MaskingKey(littleEndian: generator.next())
    }
}

import Driver
import Support

/// The handshake of RFC 6455 §1.3.
let sampleRequest = """
    GET /chat HTTP/1.1\r
    Host: server.example.com\r
    Upgrade: websocket\r
    Connection: keep-alive, Upgrade\r
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
    Sec-WebSocket-Version: 13\r
    \r

    """

/// A driver with the sink that hears of it; a class, because `#expect` copies what it looks at.
final class ServerEnd {
    private var driver: ServerDriver
    private var sink = RecordingSink()

    init(_ options: DriverOptions = .init(), now: UInt64 = 0) {
        driver = ServerDriver(options: options, now: now)
    }

    init(request: RequestHead) {
        driver = ServerDriver(request: request)
    }

    /// An open connection, of which neither side has said anything yet.
    static func open(_ options: DriverOptions = .init()) -> ServerEnd {
        let end = ServerEnd(options)
        end.receive(sampleRequest)
        end.start()
        _ = end.takeOutput()
        _ = end.takeEvents()
        return end
    }

    /// An open connection for which extensions were agreed on.
    static func open(
        _ extensions: [any WebSocketExtension], offering offer: String, _ options: DriverOptions = .init()
    ) throws -> ServerEnd {
        let end = ServerEnd(options)
        for added in extensions { try end.add(added) }
        end.receive(sampleRequest.with("Sec-WebSocket-Extensions: " + offer))
        end.start()
        _ = end.takeOutput()
        _ = end.takeEvents()
        return end
    }

    func add(_ added: any WebSocketExtension) throws(ExtensionRegistrationError) { try driver.addExtension(added) }
    func complete(_ token: ExtensionToken, _ result: Result<ExtensionMessage, ExtensionFailure>) {
        driver.complete(token, result, into: &sink)
    }
    func releaseIdleMemory() { driver.releaseIdleMemory() }
    var wireForm: PreparedMessage.WireForm? { driver.wireForm }

    @discardableResult
    func start() -> Bool { driver.start(into: &sink) }
    func refuse(status: Int, reason: String) { driver.refuse(status: status, reason: reason, into: &sink) }
    func takeReceivedBytes() -> [UInt8] { driver.takeReceivedBytes() }
    var request: RequestHead? { driver.request }
    var reservedByteCount: Int { driver.reservedByteCount }
    var isWithinMessage: Bool { driver.isWithinMessage }
    var handshakeViolation: ProtocolViolation? { driver.handshakeViolation }

    func receive(_ bytes: [UInt8]) { driver.receive(bytes.span.bytes, into: &sink) }
    func receive(_ text: String) { receive(Array(text.utf8)) }
    func receiveNext(_ bytes: [UInt8]) -> Int { driver.receiveNext(bytes.span.bytes, into: &sink) }
    func receiveEnd() { driver.receiveEnd(into: &sink) }
    func advance(to now: UInt64) { driver.advance(to: now, into: &sink) }
    func setHeader(_ name: String, _ value: String) -> Bool { driver.setHeader(name, value) }
    func send(_ text: String) -> Bool { driver.text(text) }
    func sendText(_ bytes: [UInt8]) -> Bool { driver.text(bytes.span.bytes) }
    func sendBinary(_ bytes: [UInt8]) -> Bool { driver.binary(bytes.span.bytes) }
    func ping(_ bytes: [UInt8] = [], onPong: (() -> Void)? = nil) -> Bool {
        driver.ping(bytes.span.bytes, onPong: onPong)
    }
    func pong(_ bytes: [UInt8] = []) -> Bool { driver.pong(bytes.span.bytes) }
    @discardableResult
    func close(_ code: CloseCode = .normal, _ reason: String = "", now: UInt64 = 0) -> Bool {
        driver.close(code, reason: reason, now: now)
    }

    var state: DriverState { driver.state }
    var version: String { driver.version }
    var subprotocol: String? { driver.subprotocol }
    var hasOutput: Bool { driver.hasOutput }
    var shouldCloseTransport: Bool { driver.shouldCloseTransport }
    var nextDeadline: UInt64? { driver.nextDeadline }

    func takeEvents() -> [Event] { sink.takeEvents() }
    func takeOutput() -> [UInt8] { driver.takeOutput() }
    func takeText() -> String { String(decoding: driver.takeOutput(), as: UTF8.self) }
    func takeFrames() -> [WrittenFrame]? { WrittenFrame.parseAll(driver.takeOutput(), masked: false) }
}

/// The same for a client with seeded masks.
final class ClientEnd {
    private var driver: ClientDriver<SeededGenerator>
    private var sink = RecordingSink()

    init(_ url: WebSocketURL, _ options: DriverOptions = .init(), now: UInt64 = 0) {
        driver = ClientDriver(url: url, options: options, generator: SeededGenerator(seed: 1), now: now)
    }

    convenience init(_ options: DriverOptions = .init(), now: UInt64 = 0) throws {
        self.init(try WebSocketURL("ws://server.example.com/chat"), options, now: now)
    }

    /// An open connection, of which neither side has said anything yet.
    static func open(_ options: DriverOptions = .init()) throws -> ClientEnd {
        let end = try ClientEnd(options)
        let server = ServerEnd(options)
        end.start()
        server.receive(end.takeOutput())
        server.start()
        end.receive(server.takeOutput())
        _ = end.takeEvents()
        return end
    }

    func add(_ added: any WebSocketExtension) throws(ExtensionRegistrationError) { try driver.addExtension(added) }
    func complete(_ token: ExtensionToken, _ result: Result<ExtensionMessage, ExtensionFailure>) {
        driver.complete(token, result, into: &sink)
    }
    func releaseIdleMemory() { driver.releaseIdleMemory() }

    @discardableResult
    func start() -> Bool { driver.start() }
    var status: Int? { driver.status }
    var responseHeaders: HeaderFields? { driver.responseHeaders }

    func receive(_ bytes: [UInt8]) { driver.receive(bytes.span.bytes, into: &sink) }
    func receive(_ text: String) { receive(Array(text.utf8)) }
    func receiveNext(_ bytes: [UInt8]) -> Int { driver.receiveNext(bytes.span.bytes, into: &sink) }
    func receiveEnd() { driver.receiveEnd(into: &sink) }
    func advance(to now: UInt64) { driver.advance(to: now, into: &sink) }
    func setHeader(_ name: String, _ value: String) -> Bool { driver.setHeader(name, value) }
    func send(_ text: String) -> Bool { driver.text(text) }
    func sendText(_ bytes: [UInt8]) -> Bool { driver.text(bytes.span.bytes) }
    func sendBinary(_ bytes: [UInt8]) -> Bool { driver.binary(bytes.span.bytes) }
    func ping(_ bytes: [UInt8] = [], onPong: (() -> Void)? = nil) -> Bool {
        driver.ping(bytes.span.bytes, onPong: onPong)
    }
    func pong(_ bytes: [UInt8] = []) -> Bool { driver.pong(bytes.span.bytes) }
    @discardableResult
    func close(_ code: CloseCode = .normal, _ reason: String = "", now: UInt64 = 0) -> Bool {
        driver.close(code, reason: reason, now: now)
    }

    var state: DriverState { driver.state }
    var version: String { driver.version }
    var subprotocol: String? { driver.subprotocol }
    var hasOutput: Bool { driver.hasOutput }
    var shouldCloseTransport: Bool { driver.shouldCloseTransport }
    var nextDeadline: UInt64? { driver.nextDeadline }

    func takeEvents() -> [Event] { sink.takeEvents() }
    func takeOutput() -> [UInt8] { driver.takeOutput() }
    func takeText() -> String { String(decoding: driver.takeOutput(), as: UTF8.self) }
    func takeFrames() -> [WrittenFrame]? { WrittenFrame.parseAll(driver.takeOutput(), masked: true) }
}

extension String {
    /// The value of the first header field of that name in a head.
    func header(_ name: String) -> String? {
        for line in split(separator: "\r\n") {
            let parts = line.split(separator: ": ", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == name.lowercased() { return String(parts[1]) }
        }
        return nil
    }

    /// Takes out the header fields of that name.
    func without(_ name: String) -> String {
        split(separator: "\r\n", omittingEmptySubsequences: false)
            .filter { !$0.lowercased().hasPrefix(name.lowercased() + ":") }.joined(separator: "\r\n")
    }

    /// Puts in header lines before the empty line.
    func with(_ lines: String...) -> String {
        // "\r\n" is one Character.
        dropLast() + lines.map { $0 + "\r\n" }.joined() + "\r\n"
    }
}

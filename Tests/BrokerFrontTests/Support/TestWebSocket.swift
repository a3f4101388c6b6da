import BrokerFront
import Driver
import NIOCore

/// What a WebSocket client hears.
enum Event: Equatable, Sendable {
    case open
    case text(String)
    case binary([UInt8])
    case failed(ProtocolViolation)
    case closed(CloseCode, String)
}

/// A WebSocket to a broker: the driver's client side above a socket. Pings are answered as they come.
final class TestWebSocket {
    let socket: TestSocket
    private let handler: NIOLoopBound<DriverHandler>
    private var events: AsyncStream<Event>.Iterator

    private init(socket: TestSocket, handler: NIOLoopBound<DriverHandler>, events: AsyncStream<Event>) {
        self.socket = socket
        self.handler = handler
        self.events = events.makeAsyncIterator()
    }

    /// Sends a handshake over `socket`, with `tail` right behind it. What the broker answers is the first event.
    ///
    /// A deaf one never answers: neither a Ping nor a Close.
    static func start(
        over socket: TestSocket, path: String = "/bayeux", headers: [(String, String)] = [], tail: [UInt8] = [],
        isDeaf: Bool = false
    ) async throws -> TestWebSocket {
        let url = try WebSocketURL("ws://broker.test\(path)")
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        let channel = socket.channel
        let handler = try await channel.eventLoop.submit {
            let handler = DriverHandler(url: url, events: continuation, isDeaf: isDeaf)
            try channel.pipeline.syncOperations.addHandler(handler, position: .first)
            handler.start(headers: headers, tail: tail)
            return NIOLoopBound(handler, eventLoop: channel.eventLoop)
        }.get()
        return TestWebSocket(socket: socket, handler: handler, events: events)
    }

    /// A WebSocket that is open.
    static func open(at broker: TestBroker) async throws -> TestWebSocket {
        let webSocket = try await start(over: broker.connect())
        try await webSocket.expectOpen()
        return webSocket
    }

    /// Waits for the end of the handshake.
    func expectOpen() async throws {
        guard case .open = try await next() else { throw Missing("the handshake failed") }
    }

    /// The next thing that the broker said.
    func next() async throws -> Event {
        guard let event = await events.next() else { throw Missing("the connection is over") }
        return event
    }

    /// The next text; everything else is in the way.
    func nextText() async throws -> String {
        let event = try await next()
        guard case .text(let text) = event else { throw Missing("a text expected, not \(event)") }
        return text
    }

    /// What the broker closed the connection with; messages before it are passed over.
    func nextClose() async throws -> CloseCode {
        while true {
            if case .closed(let code, _) = try await next() { return code }
        }
    }

    func send(_ text: String) async throws {
        let handler = handler
        try await socket.channel.eventLoop.submit { handler.value.send(text) }.get()
    }

    /// Sends bytes as they are, past the driver.
    func send(raw bytes: [UInt8]) async throws {
        try await socket.send(bytes)
    }

    func close() async throws {
        let handler = handler
        try await socket.channel.eventLoop.submit { handler.value.close() }.get()
    }

    /// A frame with the mask 0, of a payload of at most 125 bytes.
    static func frame(opcode: UInt8, _ payload: [UInt8], isMasked: Bool = true) -> [UInt8] {
        let mask: [UInt8] = isMasked ? [0, 0, 0, 0] : []
        return [0x80 | opcode, (isMasked ? 0x80 : 0) | UInt8(payload.count)] + mask + payload
    }
}

/// Feeds the driver and writes what it puts out.
private final class DriverHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var driver: ClientDriver<SystemRandomNumberGenerator>
    private var sink: EventSink
    private var context: ChannelHandlerContext?
    private let isDeaf: Bool

    init(url: WebSocketURL, events: AsyncStream<Event>.Continuation, isDeaf: Bool) {
        driver = ClientDriver(url: url)
        sink = EventSink(events: events)
        self.isDeaf = isDeaf
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func start(headers: [(String, String)], tail: [UInt8]) {
        for (name, value) in headers { driver.setHeader(name, value) }
        driver.start()
        write(driver.takeOutput() + tail)
    }

    func send(_ text: String) {
        driver.text(text)
        write(driver.takeOutput())
    }

    func close() {
        driver.close(.normal, now: 0)
        write(driver.takeOutput())
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        driver.receive(bytes.readableBytesSpan, into: &sink)
        let output = driver.takeOutput()
        if !isDeaf { write(output) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        driver.receiveEnd(into: &sink)
        sink.events.finish()
        context.fireChannelInactive()
    }

    private func write(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        context?.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }
}

private struct EventSink: DriverSink {
    let events: AsyncStream<Event>.Continuation

    mutating func open() { events.yield(.open) }
    mutating func message(_ payload: RawSpan, kind: MessageKind) {
        let bytes = payload.withUnsafeBytes { Array($0) }
        events.yield(kind == .text ? .text(String(decoding: bytes, as: UTF8.self)) : .binary(bytes))
    }
    mutating func failed(_ violation: ProtocolViolation) { events.yield(.failed(violation)) }
    mutating func closed(_ code: CloseCode, reason: String) { events.yield(.closed(code, reason)) }
}

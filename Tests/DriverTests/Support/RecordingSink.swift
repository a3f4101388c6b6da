import Driver

/// What a sink was told.
enum Event: Equatable, Sendable {
    case connect(target: String)
    case request(target: String)
    case open
    case text(String)
    case binary([UInt8])
    case ping([UInt8])
    case pong([UInt8])
    case failed(ProtocolViolation)
    case closed(CloseCode, String)

    static func failed(_ code: CloseCode, _ message: String, status: Int? = nil) -> Self {
        .failed(ProtocolViolation(closeCode: code, message: message, httpStatus: status))
    }

    /// A violation by the peer of an open connection, and the close that it makes.
    static func violation(_ code: CloseCode, _ message: String) -> [Self] {
        [.failed(code, message), .closed(code, message)]
    }
}

/// Keeps all events; not copyable, as an owner's sink may be.
struct RecordingSink: DriverSink, ~Copyable {
    private(set) var events: [Event] = []

    mutating func connect(_ request: borrowing RequestHead) { events.append(.connect(target: request.target)) }
    mutating func request(_ head: borrowing RequestHead) { events.append(.request(target: head.target)) }
    mutating func open() { events.append(.open) }
    mutating func message(_ payload: RawSpan, kind: MessageKind) {
        let bytes = payload.withUnsafeBytes(Array.init)
        switch kind {
        case .text: events.append(.text(String(validating: bytes, as: UTF8.self) ?? "(not UTF-8)"))
        case .binary: events.append(.binary(bytes))
        }
    }
    mutating func ping(_ payload: RawSpan) { events.append(.ping(payload.withUnsafeBytes(Array.init))) }
    mutating func pong(_ payload: RawSpan) { events.append(.pong(payload.withUnsafeBytes(Array.init))) }
    mutating func failed(_ violation: ProtocolViolation) { events.append(.failed(violation)) }
    mutating func closed(_ code: CloseCode, reason: String) { events.append(.closed(code, reason)) }

    mutating func takeEvents() -> [Event] {
        defer { events = [] }
        return events
    }
}

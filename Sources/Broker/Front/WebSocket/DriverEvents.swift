import Driver

/// What the driver tells of: messages go on at once, the rest is kept until the driver has returned.
struct DriverEvents: DriverSink {
    let handler: WebSocketHandler
    var request: RequestHead?
    var isHTTP = false
    var isOpened = false
    var hasUnsupportedMessage = false
    var violation: ProtocolViolation?
    /// Whether the peer has closed with the code that only we send: it has read all that came before.
    var hasAnsweredRestart = false
    /// Whether something came that was complete: a message, or that or another frame.
    var hasMessage = false
    var isAlive = false
    var messageBytes = 0
    /// Whether something is to be done besides writing the driver's output.
    var needsAction: Bool { violation != nil || hasUnsupportedMessage }

    init(handler: WebSocketHandler) {
        self.handler = handler
    }

    mutating func connect(_ request: borrowing RequestHead) { self.request = copy request }
    mutating func request(_ head: borrowing RequestHead) { isHTTP = true }
    mutating func open() { isOpened = true }
    mutating func ping(_ payload: RawSpan) { isAlive = true }
    mutating func pong(_ payload: RawSpan) { isAlive = true }
    mutating func message(_ payload: RawSpan, kind: MessageKind) {
        hasMessage = true
        isAlive = true
        messageBytes += payload.byteCount
        switch kind {
        case .text: handler.received(payload)
        case .binary: hasUnsupportedMessage = true
        }
    }
    mutating func closed(_ code: CloseCode, reason: String) { hasAnsweredRestart = code == .serviceRestart }
    mutating func failed(_ violation: ProtocolViolation) { self.violation = violation }
}

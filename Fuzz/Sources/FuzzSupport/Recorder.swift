package import Driver

/// What one run came to; two ways to cut the same stream must come to the same.
package struct Outcome: Equatable, CustomStringConvertible {
    /// All events, in order.
    package var events: [UInt8]
    /// All bytes that were written.
    package var output: [UInt8]
    package var state: DriverState
    /// What else the owner can ask.
    package var details: [String]

    package init(_ log: EventLog, output: [UInt8], state: DriverState, details: [String]) {
        events = log.bytes
        self.output = output
        self.state = state
        self.details = details
    }

    package var description: String {
        "events \(text(events))\noutput \(text(output))\nstate \(state), \(details)"
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self).debugDescription }
}

/// The events of one connection as bytes, which are quickly compared. A class, because a Ping's closure writes, too.
package final class EventLog {
    private(set) var bytes: [UInt8] = []

    package func append(_ name: StaticString) {
        name.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(0x0A)
    }

    func append(_ name: StaticString, _ payload: RawSpan) {
        append(name)
        payload.withUnsafeBytes { bytes.append(contentsOf: $0) }
        bytes.append(0x0A)
    }

    func append(_ name: StaticString, _ text: String) {
        append(name)
        bytes.append(contentsOf: text.utf8)
        bytes.append(0x0A)
    }
}

/// A sink that records, and stops the process when the order of events is none that a driver promises.
package struct Recorder: DriverSink {
    package let log = EventLog()
    /// The longest message that may come; texts of hixie are repaired, which makes three bytes of one.
    var maximumMessageBytes: Int

    /// What the owner has not acted upon yet.
    var hasConnected = false
    var isRequest = false
    var message: (kind: MessageKind, payload: [UInt8])?

    package private(set) var isOpen = false
    package private(set) var isClosed = false
    private var hasFailed = false

    package init(maximumMessageBytes: Int) { self.maximumMessageBytes = maximumMessageBytes }

    package mutating func connect(_ request: borrowing RequestHead) {
        expect(!isOpen && !hasFailed)
        hasConnected = true
        log.append("connect", "\(request.method) \(request.target) \(request.version) \(request.origin ?? "-")")
        append(request.headers)
    }

    package mutating func request(_ head: borrowing RequestHead) {
        expect(!isOpen && !hasFailed)
        isRequest = true
        log.append("request", "\(head.method) \(head.target) \(head.version)")
        append(head.headers)
    }

    package mutating func open() {
        expect(!isOpen && !hasFailed)
        isOpen = true
        log.append("open")
    }

    package mutating func message(_ payload: RawSpan, kind: MessageKind) {
        expect(isOpen && !hasFailed && payload.byteCount <= maximumMessageBytes)
        let bytes = payload.withUnsafeBytes(Array.init)
        if kind == .text { require(String(validating: bytes, as: UTF8.self) != nil, "a text is UTF-8") }
        message = (kind, bytes)
        log.append(kind == .text ? "text" : "binary", payload)
    }

    package mutating func ping(_ payload: RawSpan) {
        expect(isOpen && !hasFailed && payload.byteCount <= 125)
        log.append("ping", payload)
    }

    package mutating func pong(_ payload: RawSpan) {
        expect(isOpen && !hasFailed && payload.byteCount <= 125)
        log.append("pong", payload)
    }

    package mutating func failed(_ violation: ProtocolViolation) {
        expect(!hasFailed)
        hasFailed = true
        log.append("failed", "\(violation.closeCode.rawValue) \(violation.httpStatus ?? 0) \(violation.message)")
    }

    package mutating func closed(_ code: CloseCode, reason: String) {
        expect(true)
        isClosed = true
        log.append("closed", "\(code.rawValue) \(reason)")
    }

    /// `closed` is the last event, and comes once.
    private func expect(_ isExpected: Bool) {
        require(isExpected && !isClosed, "an event at the wrong time")
    }

    private func append(_ headers: HeaderFields) {
        for field in headers { log.append("field", "\(field.name): \(field.value)") }
    }
}

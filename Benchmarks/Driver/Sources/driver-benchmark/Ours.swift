import Driver

/// A sink that only adds up what it is lent.
struct CountingSink: DriverSink {
    var payloadBytes = 0
    mutating func message(_ payload: RawSpan, kind: MessageKind) { payloadBytes += payload.byteCount }
}

/// The driver, through its public API only: an open connection and its sink in one place, as an owner has them.
struct Connection: ~Copyable {
    var driver: ServerDriver
    var sink = CountingSink()

    /// Made once and shared, as a server has them.
    static let options = DriverOptions()

    init(scratch: DriverScratch = .init()) {
        driver = ServerDriver(options: Self.options, scratch: scratch)
        driver.receive(Wire.request.span.bytes, into: &sink)
        driver.start(into: &sink)
        driver.drainOutput { _ in }
        precondition(driver.state == .open, "The handshake failed")
    }

    mutating func receive(_ stream: Stream) -> Int {
        sink.payloadBytes = 0
        for chunk in stream.chunks { driver.receive(chunk.span.bytes, into: &sink) }
        return sink.payloadBytes
    }

    mutating func send(_ payload: [UInt8], count: Int) -> Int {
        var sent = 0
        for _ in 0..<count {
            driver.text(payload.span.bytes)
            sent += driver.drainOutput { $0.byteCount }
        }
        return sent
    }
}

/// What the driver does for each workload.
enum Ours {
    /// Texts are checked, and lent as one contiguous unmasked payload.
    static func receiving(_ stream: Stream) -> Contender {
        var connection = Connection()
        return Contender(name: "ours") { connection.receive(stream) }
    }

    /// Texts are checked, framed, and lent as one contiguous output.
    static func sending(_ payload: [UInt8], count: Int) -> Contender {
        var connection = Connection()
        return Contender(name: "ours") { connection.send(payload, count: count) }
    }

    /// A new driver for each handshake; the scratch is shared.
    static func handshaking(count: Int) -> Contender {
        let scratch = DriverScratch()
        return Contender(name: "ours") {
            (0..<count).reduce(0) { opened, _ in opened + (Connection(scratch: scratch).driver.state == .open ? 1 : 0) }
        }
    }
}

import Driver

/// Plays a capture's inputs to a driver, and says what came of each.
final class Player {
    /// One of both, once something has happened.
    private var server: ServerDriver?
    private var client: ClientDriver<CaptureGenerator>?
    private var role: Capture.Role?
    private var options = DriverOptions()
    private var compression: PermessageDeflate?
    private var seed: UInt64 = 0
    private var sink = CaptureSink()

    /// Does what the line says; the lines that tell what came of it: output first, then events.
    func play(_ input: Capture.Input) throws(LineError) -> [String] {
        switch input {
        case .role(let role):
            self.role = role
            (options, compression, seed, sink) = (DriverOptions(), nil, 0, CaptureSink())
            server = nil
            client = nil
            return []
        case .option(let name, let value):
            try set(name, value)
            return []
        case .peer, .call, .end, .time:
            try makeEnd()
        }
        if var driver = server.take() {
            var isDone = true
            switch input {
            case .call(.start): isDone = driver.start(into: &sink)
            case .call(.refuse(let status, let reason)): driver.refuse(status: status, reason: reason, into: &sink)
            default: isDone = Self.perform(input, on: &driver, &sink)
            }
            let lines = report(driver.takeOutput(), version: driver.version, isDone)
            server = consume driver
            return lines
        }
        guard var driver = client.take() else { throw LineError(description: "the role is missing") }
        let isDone = input == .call(.start) ? driver.start() : Self.perform(input, on: &driver, &sink)
        let lines = report(driver.takeOutput(), version: driver.version, isDone)
        client = consume driver
        return lines
    }

    private func report(_ output: [UInt8], version: String, _ isDone: Bool) -> [String] {
        var lines = output.isEmpty ? [] : ["> " + CaptureParser.hex(output)]
        lines += sink.take(version: version)
        if !isDone { lines.append("* false") }
        return lines
    }

    /// What servers and clients have in common; false if the driver says so.
    private static func perform(
        _ input: Capture.Input, on driver: inout some WebSocketDriver & ~Copyable, _ sink: inout CaptureSink
    ) -> Bool {
        switch input {
        case .peer(let bytes):
            driver.receive(bytes.span.bytes, into: &sink)
        case .end:
            driver.receiveEnd(into: &sink)
        case .time(let time):
            driver.advance(to: time, into: &sink)
        case .call(.text(let text)):
            return driver.text(text)
        case .call(.binary(let bytes)):
            return driver.binary(bytes.span.bytes)
        case .call(.ping(let bytes)):
            return driver.ping(bytes.span.bytes)
        case .call(.pong(let bytes)):
            return driver.pong(bytes.span.bytes)
        case .call(.close(let code, let reason)):
            return driver.close(CloseCode(rawValue: code), reason: reason, now: 0)
        case .call(.header(let name, let value)):
            return driver.setHeader(name, value)
        case .call(.start), .call(.refuse), .role, .option:
            break
        }
        return true
    }

    private var hasEnd: Bool { server != nil || client != nil }

    private func makeEnd() throws(LineError) {
        guard !hasEnd, let role else { return }
        do {
            switch role {
            case .server:
                var driver = ServerDriver(options: options)
                if let compression { try driver.addExtension(compression) }
                server = consume driver
            case .client(let url):
                var driver = ClientDriver(
                    url: try WebSocketURL(url), options: options, generator: CaptureGenerator(state: seed))
                if let compression { try driver.addExtension(compression) }
                client = consume driver
            }
        } catch {
            throw LineError(description: "\(error)")
        }
    }

    private func set(_ name: String, _ value: String) throws(LineError) {
        guard !hasEnd else { throw LineError(description: "options come before everything else") }
        let list = value.split(separator: ",").map(String.init)
        switch (name, Int(value)) {
        case ("maximum-message-bytes", let bytes?): options.maximumMessageBytes = bytes
        case ("maximum-queued-bytes", let bytes?): options.maximumQueuedBytes = bytes
        case ("seed", let seed?): self.seed = UInt64(clamping: seed)
        case ("subprotocols", _): options.subprotocols = list
        case ("versions", _):
            let versions = list.compactMap(WebSocketVersion.init)
            guard versions.count == list.count else { throw LineError(description: "no such versions: \(value)") }
            options.versions = Set(versions)
        case ("deflate", _): compression = try Self.compression(value)
        default: throw LineError(description: "no such option, or a bad value: \(name) \(value)")
        }
    }

    private static func compression(_ text: String) throws(LineError) -> PermessageDeflate {
        var options = PermessageDeflate.Options()
        for word in text.split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1)
            let number = parts.count > 1 ? Int(parts[1]) : nil
            switch (parts[0], number) {
            case ("no-context-takeover", nil): options.noContextTakeover = true
            case ("request-no-context-takeover", nil): options.requestNoContextTakeover = true
            case ("window-bits", let bits?): options.maxWindowBits = bits
            case ("request-window-bits", let bits?): options.requestMaxWindowBits = bits
            case ("minimum-bytes", let bytes?): options.minimumBytes = bytes
            default: throw LineError(description: "no such option of deflate: \(word)")
            }
        }
        do {
            return try PermessageDeflate(options)
        } catch {
            throw LineError(description: "\(error)")
        }
    }
}

/// Events as lines.
private struct CaptureSink: DriverSink {
    private var lines: [String] = []

    /// The lines so far. Only after the driver's call is it known which version was agreed on.
    mutating func take(version: String) -> [String] {
        defer { lines = [] }
        return lines.map { $0 == "* open" ? "* open \(version)" : $0 }
    }

    mutating func connect(_ request: borrowing RequestHead) { add("connect", CaptureParser.quoted(request.target)) }
    mutating func request(_ head: borrowing RequestHead) { add("request", CaptureParser.quoted(head.target)) }
    mutating func open() { lines.append("* open") }
    mutating func message(_ payload: RawSpan, kind: MessageKind) {
        let bytes = payload.withUnsafeBytes { Array($0) }
        switch kind {
        case .text: add("text", CaptureParser.quoted(String(decoding: bytes, as: UTF8.self)))
        case .binary: add("binary", CaptureParser.hex(bytes))
        }
    }
    mutating func ping(_ payload: RawSpan) { add("ping", CaptureParser.hex(payload.withUnsafeBytes { Array($0) })) }
    mutating func pong(_ payload: RawSpan) { add("pong", CaptureParser.hex(payload.withUnsafeBytes { Array($0) })) }
    mutating func failed(_ violation: ProtocolViolation) {
        add("failed", "\(violation.closeCode.rawValue) \(CaptureParser.quoted(violation.message))")
    }
    mutating func closed(_ code: CloseCode, reason: String) {
        add("closed", "\(code.rawValue) \(CaptureParser.quoted(reason))")
    }

    private mutating func add(_ event: String, _ details: String) {
        lines.append(details.isEmpty ? "* \(event)" : "* \(event) \(details)")
    }
}

/// The client's key and masks, the same each time (SplitMix64).
struct CaptureGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

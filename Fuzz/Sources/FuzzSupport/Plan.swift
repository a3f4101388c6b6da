package import Driver

/// What happens to one driver: what it is made with, what the peer sends, and what its owner does meanwhile.
package struct Plan {
    package var options = DriverOptions()
    package var extensions: [any WebSocketExtension] = []
    /// For a server: a request that the owner's HTTP stack has read; without it the stream begins with one.
    package var request: RequestHead?
    /// What comes before the stream, in one chunk and without a comparison.
    package var opening: [UInt8] = []
    package var stream: [UInt8] = []

    /// Whether it may be hixie, where a byte that is no UTF-8 becomes a character of three.
    package var mayRepair = false
    /// Whether the owner takes one event at a time; only then does it send anything.
    package var stepsEvents = false
    /// Whether it sends each message back.
    package var echoes = false
    /// Whether it closes at the first message.
    package var closesAtMessage = false
    /// Whether it asks for Pongs when the connection is open.
    package var pings = false
    /// Whether it answers a request only when the stream is over.
    package var startsLate = false
    /// Whether it sends a text before the connection is open.
    package var sendsEarly = false
    /// Whether it gives back idle memory after each chunk, which must change nothing.
    package var releasesIdleMemory = false
    /// Whether the peer falls silent instead of ending its stream.
    package var timesOut = false

    package init() {}

    /// Whether each written byte is the driver's own.
    var isSilent: Bool { !echoes && !pings && !closesAtMessage && !sendsEarly }
}

/// One memory for all drivers of the process, as those of an event loop have it.
private nonisolated(unsafe) let scratch = DriverScratch()

extension Plan {
    /// Runs a server and checks what holds however its input is cut.
    package func runServer(_ split: Split) -> Outcome {
        let driver =
            request.map { ServerDriver(request: $0, options: options, scratch: scratch) }
            ?? ServerDriver(options: options, scratch: scratch)
        var run = PlannedRun(driver, self)
        if request != nil { run.recorder.hasConnected = true }
        run.run(split)
        if run.isHandedOver, stream.count <= options.maximumQueuedBytes {
            require(run.taken.elementsEqual(stream.withoutEmptyLines), "no byte of a request is lost")
        }
        let violation = run.driver.handshakeViolation
        let details = ["\(run.driver.version)", "\(run.driver.subprotocol ?? "-")", violation?.message ?? "-"]
        return run.outcome(details)
    }

    /// Runs a client whose key is always the same.
    package func runClient(_ split: Split) -> Outcome {
        var driver = ClientDriver(
            url: Self.url, options: options, generator: SplitMix(seed: 1), scratch: scratch)
        for added in extensions { add(added, to: &driver) }
        driver.start()
        _ = driver.takeOutput()
        var plan = self
        plan.extensions = []
        var run = PlannedRun(driver, plan)
        run.run(split)
        let headers = run.driver.responseHeaders?.map { "\($0.name): \($0.value)" } ?? []
        return run.outcome(["\(run.driver.status ?? 0)", "\(run.driver.subprotocol ?? "-")"] + headers)
    }

    /// The request of `runClient`'s driver.
    package func clientRequest() -> [UInt8] {
        var driver = ClientDriver(url: Self.url, options: options, generator: SplitMix(seed: 1))
        for added in extensions { add(added, to: &driver) }
        driver.start()
        return driver.takeOutput()
    }

    /// What a server with the same options and extensions answers to `runClient`'s driver.
    package func serverResponse() -> [UInt8] {
        var driver = ServerDriver(options: options)
        for added in extensions { add(added, to: &driver) }
        var recorder = Recorder(maximumMessageBytes: 0)
        clientRequest().withUnsafeBytes { driver.receive($0.bytes, into: &recorder) }
        require(driver.start(into: &recorder), "our own client's request is accepted")
        return driver.takeOutput()
    }

    private static let url: WebSocketURL = {
        guard let url = try? WebSocketURL("ws://a/") else { fatalError("a valid URL is refused") }
        return url
    }()
}

private func add<D: WebSocketDriver & ~Copyable>(_ added: any WebSocketExtension, to driver: inout D) {
    do {
        try driver.addExtension(added)
    } catch {
        fatalError("a valid extension is refused: \(error)")
    }
}

/// What a run does with either driver.
package protocol PlannedDriver: WebSocketDriver, ~Copyable {
    /// Accepts the request, or makes it.
    mutating func answer(into recorder: inout Recorder)
    mutating func refuse(status: Int, into recorder: inout Recorder)
    mutating func takeRequestBytes() -> [UInt8]
    var preparedForm: PreparedMessage.WireForm? { get }
}

extension ServerDriver: PlannedDriver {
    package mutating func answer(into recorder: inout Recorder) { start(into: &recorder) }
    package mutating func refuse(status: Int, into recorder: inout Recorder) {
        refuse(status: status, reason: "refused", into: &recorder)
    }
    package mutating func takeRequestBytes() -> [UInt8] { takeReceivedBytes() }
    package var preparedForm: PreparedMessage.WireForm? { wireForm }
}

extension ClientDriver: PlannedDriver {
    package mutating func answer(into recorder: inout Recorder) { start() }
    package mutating func refuse(status: Int, into recorder: inout Recorder) {}
    package mutating func takeRequestBytes() -> [UInt8] { [] }
    package var preparedForm: PreparedMessage.WireForm? { nil }
}

extension [UInt8] {
    /// Without the line ends before the first line.
    var withoutEmptyLines: ArraySlice<UInt8> {
        var rest = self[...]
        while rest.starts(with: [0x0D, 0x0A]) { rest = rest.dropFirst(2) }
        return rest
    }
}

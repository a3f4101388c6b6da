@testable import Driver

/// A plan at work on one driver.
struct PlannedRun<D: PlannedDriver & ~Copyable>: ~Copyable {
    private let plan: Plan
    var driver: D
    var recorder: Recorder
    private var output: [UInt8] = []
    /// After a request that is none for WebSockets: all bytes, for the owner.
    private(set) var taken: [UInt8] = []
    private(set) var isHandedOver = false
    private var hasPinged = false
    private var hasClosed = false

    init(_ driver: consuming D, _ plan: Plan) {
        self.plan = plan
        self.driver = driver
        recorder = Recorder(maximumMessageBytes: plan.options.maximumMessageBytes * (plan.mayRepair ? 3 : 1))
        for added in plan.extensions { try? self.driver.addExtension(added) }
        if plan.sendsEarly {
            _ = self.driver.text("early")
            _ = self.driver.ping()
            _ = self.driver.binary([1, 2].span.bytes)
        }
    }

    mutating func run(_ split: Split) {
        if plan.request != nil, !plan.startsLate { act() }
        if !plan.opening.isEmpty { withExactCopy(plan.opening) { receive($0) } }
        if !plan.opening.isEmpty { require(recorder.isOpen, "a good handshake opens") }
        split.forEachChunk(of: plan.stream) { receive($0) }
        if plan.startsLate, recorder.hasConnected {
            recorder.hasConnected = false
            driver.answer(into: &recorder)
            collect()
        }
        checkSilence()
        if plan.timesOut, let deadline = driver.nextDeadline {
            driver.advance(to: deadline &- 1, into: &recorder)
            driver.advance(to: deadline, into: &recorder)
            collect()
            require(driver.state == .closed, "time is over at the deadline")
        }
        driver.receiveEnd(into: &recorder)
        collect()
        require(driver.state == .closed, "the end of the stream closes")
        require(recorder.isClosed != isHandedOver, "the end is told once, unless the owner has the connection")
        checkSilence()
    }

    func outcome(_ details: [String]) -> Outcome {
        Outcome(recorder.log, output: output, state: driver.state, details: details)
    }

    private mutating func receive(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        repeat {
            if isHandedOver {
                taken += rest
                return
            }
            var count = rest.count
            if plan.stepsEvents {
                let events = recorder.log.bytes.count
                count = driver.receiveNext(rest.bytes, into: &recorder)
                require(count > 0 || rest.isEmpty || recorder.log.bytes.count > events, "a step gets on")
            } else {
                driver.receive(rest.bytes, into: &recorder)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            act()
        } while !rest.isEmpty
        if plan.releasesIdleMemory { driver.releaseIdleMemory() }
    }

    /// The owner's part, after each step.
    private mutating func act() {
        if recorder.hasConnected, !plan.startsLate {
            recorder.hasConnected = false
            driver.answer(into: &recorder)
        }
        if recorder.isRequest {
            recorder.isRequest = false
            isHandedOver = true
            taken = driver.takeRequestBytes()
        }
        if plan.stepsEvents {
            if plan.pings, recorder.isOpen, !hasPinged {
                hasPinged = true
                let log = recorder.log
                for payload: [UInt8] in [[], [0x61]] {
                    _ = driver.ping(payload.span.bytes) { log.append("answered") }
                }
            }
            if let message = recorder.message, plan.closesAtMessage, !hasClosed {
                hasClosed = driver.close(.goingAway, reason: message.kind == .text ? "text" : "binary", now: 0)
            } else if let message = recorder.message, plan.echoes {
                _ = driver.send(message.kind, message.payload.span.bytes)
            }
        }
        recorder.message = nil
        collect()
    }

    private mutating func collect() {
        require(driver.hasOutput || driver.takeOutput().isEmpty, "what is to be written is announced")
        driver.drainOutput { bytes in bytes.withUnsafeBytes { output.append(contentsOf: $0) } }
        guard plan.isSilent, plan.opening.isEmpty else { return }
        // A client's answers are masked: 4 bytes more for each of at least two.
        require(output.count <= 3 * plan.stream.count + 1024, "the output is bounded by the input")
    }

    /// Once closed, input is discarded.
    private mutating func checkSilence() {
        guard driver.state == .closed, !isHandedOver, recorder.isClosed else { return }
        let events = recorder.log.bytes.count
        for garbage: [UInt8] in [[0x89, 0x80, 0, 0, 0, 0], [0x00, 0x61, 0xFF], Array("GET / HTTP/1.1\r\n\r\n".utf8)] {
            withExactCopy(garbage) { driver.receive($0.bytes, into: &recorder) }
        }
        driver.advance(to: .max, into: &recorder)
        require(!driver.text("late") && !driver.ping() && !driver.close(now: 0), "nothing is sent when closed")
        require(!driver.hasOutput && recorder.log.bytes.count == events, "once closed, input is discarded")
    }
}

/// Whether what a server wrote is one HTTP head that our own reader accepts, with the body that it announces.
package func isWellFormedAnswer(_ output: [UInt8]) -> Bool {
    var reader = HTTPHeadReader(maximumBytes: .max, maximumHeaderCount: 100)
    var end = 0
    let isComplete = output.withUnsafeBytes { (try? reader.read($0, &end)) ?? false }
    guard isComplete, let response = HTTPHeadParser.parseResponse(reader.bytes) else { return false }
    guard response.status != 101 else { return true }
    return response.headers.first("Content-Length") == "\(output.count - end)"
}

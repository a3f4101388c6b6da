/// The peer's side: bytes, their end, and time.
extension ServerDriver {
    /// See ``WebSocketDriver``.
    public mutating func receive<S: DriverSink & ~Copyable>(_ bytes: RawSpan, into sink: inout S) {
        bytes.withUnsafeBytes { input in
            var offset = 0
            while offset < input.count { step(input, &offset, into: &sink) }
        }
    }

    /// See ``WebSocketDriver``.
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
        case .framing:
            guard let event = connection.next(input, &offset) else { return }
            connection.deliver(event, key: nil, output: &output, into: &sink)
        case .readingHead:
            readHead(input, &offset, into: &sink)
        case .readingChallenge:
            readChallenge(input, &offset, into: &sink)
        case .hixieFraming:
            guard let hixie, let event = hixie.next(input, &offset) else { return }
            if !hixie.deliver(event, output: &output, into: &sink) { end() }
        case .awaitingStart:
            keep(UnsafeRawBufferPointer(rebasing: input[offset...]), into: &sink)
            offset = input.count
        case .handedOver:
            pending?.append(UnsafeRawBufferPointer(rebasing: input[offset...]))
            offset = input.count
        case .over:
            reportClose(into: &sink)
            offset = input.count
        }
    }

    /// See ``WebSocketDriver``.
    public mutating func receiveEnd<S: DriverSink & ~Copyable>(into sink: inout S) {
        reportClose(into: &sink)
        switch phase {
        case .readingHead, .awaitingStart, .readingChallenge:
            end()
            sink.closed(.abnormal, reason: "")
        case .framing:
            connection.settle(key: nil, output: &output, into: &sink)
            connection.receiveEnd(into: &sink)
        case .hixieFraming:
            // In 75 there is no other way to close.
            let isClean = selectedVersion == .hixie75
            end()
            sink.closed(isClean ? .noStatus : .abnormal, reason: "")
        case .handedOver, .over:
            break
        }
    }

    /// Gives up on a handshake (408 or 503) or a closing handshake (1006) whose time is over at `now`.
    public mutating func advance<S: DriverSink & ~Copyable>(to now: UInt64, into sink: inout S) {
        reportClose(into: &sink)
        switch phase {
        case .readingHead, .awaitingStart, .readingChallenge:
            guard let pending, pending.deadline <= now else { return }
            fail(lateness, into: &sink)
        case .framing:
            connection.settle(key: nil, output: &output, into: &sink)
            connection.advance(to: now, into: &sink)
        case .hixieFraming, .handedOver, .over:
            break
        }
    }

    /// See ``WebSocketDriver``.
    public mutating func complete<S: DriverSink & ~Copyable>(
        _ token: ExtensionToken, _ result: Result<ExtensionMessage, ExtensionFailure>, into sink: inout S
    ) {
        guard phase == .framing else { return }
        for result in connection.complete(token, result) {
            connection.deliver(result, from: token, key: nil, output: &output, into: &sink)
        }
        connection.settle(key: nil, output: &output, into: &sink)
    }

    /// Refuses a handshake that the peer spoiled, or ends it if its answer's head is out.
    mutating func fail<S: DriverSink & ~Copyable>(_ violation: ProtocolViolation, into sink: inout S) {
        if phase != .readingChallenge {
            writeRefusal(status: violation.httpStatus ?? 400, reason: violation.message)
        }
        end()
        sink.failed(violation)
        sink.closed(violation.closeCode, reason: violation.closeCode == .noStatus ? "" : violation.message)
    }

    private var lateness: ProtocolViolation {
        switch phase {
        case .readingChallenge: .hixieBodyTimeout
        case .awaitingStart: .answerTimeout
        case .readingHead, .framing, .hixieFraming, .handedOver, .over: .requestTimeout
        }
    }

    private mutating func readHead<S: DriverSink & ~Copyable>(
        _ input: UnsafeRawBufferPointer, _ offset: inout Int, into sink: inout S
    ) {
        guard let pending else { preconditionFailure("Cannot read a head when the handshake is over") }
        do throws(ProtocolViolation) {
            guard try pending.reader.read(input, &offset) else { return }
            let head = try HTTPHeadParser.parseRequest(pending.reader.bytes)
            if VersionSelection.isWebSocket(head) {
                pending.request = head
                phase = .awaitingStart
                sink.connect(head)
            } else {
                phase = .handedOver
                sink.request(head)
            }
        } catch {
            fail(error, into: &sink)
        }
    }

    private mutating func readChallenge<S: DriverSink & ~Copyable>(
        _ input: UnsafeRawBufferPointer, _ offset: inout Int, into sink: inout S
    ) {
        guard let hixie else { preconditionFailure("Cannot read a challenge when none was asked") }
        do throws(ProtocolViolation) {
            guard try hixie.readChallenge(input, &offset, output: &output) else { return }
        } catch {
            return fail(error, into: &sink)
        }
        openHixie(into: &sink)
    }

    private mutating func keep<S: DriverSink & ~Copyable>(_ bytes: UnsafeRawBufferPointer, into sink: inout S) {
        guard let pending, !pending.keep(bytes) else { return }
        fail(.prematureData, into: &sink)
    }
}

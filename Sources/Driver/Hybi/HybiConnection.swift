/// One end of an open RFC 6455 connection: frames in, events out, and the closing handshake.
///
/// Rules: `next` reads one event from the input, `deliver` performs and reports it, then `next` reads on. Frames
/// that are whole in the input are not buffered: a masked payload is unmasked into the scratch, an unmasked one
/// lent as it is. After our Close frame the peer's frames are still checked, but nothing is delivered or
/// answered until its Close; once closed, input is discarded.
struct HybiConnection: ~Copyable {
    // In an order that leaves few gaps in memory: small ones follow those that do not end on a word.
    private let maximumMessageBytes: Int
    private let scratch: DriverScratch
    private var decoder = FrameDecoder()
    private let requiresMask: Bool
    private var claimedBits: UInt8 = 0
    /// The frame whose payload is being read, and how many bytes of it were.
    private var frame: FrameHeader?
    private var frameBytes = 0
    private var message = MessageAssembler()
    /// A control frame's payload that came in pieces; apart, because it may interrupt a message.
    private var control = PayloadBuffer()
    private var awaitedPongs = AwaitedPongs()
    /// The extensions that were agreed on, if any.
    private var extensions: ExtensionPipeline?
    private var closing = ClosingHandshake.open

    init(isServer: Bool, maximumMessageBytes: Int, scratch: DriverScratch) {
        requiresMask = isServer
        self.maximumMessageBytes = maximumMessageBytes
        self.scratch = scratch
    }

    var state: DriverState {
        if let extensions, extensions.isEnding, closing.state == .open { return .closing }
        return closing.state
    }

    var isWithinMessage: Bool { frame != nil || message.kind != nil || !decoder.isBetweenFrames }

    /// How many bytes there is room for, of payloads that have not come as a whole.
    var reservedByteCount: Int { message.reservedByteCount + control.reservedByteCount }

    /// Zero if the end of the connection only waits to be reported.
    var deadline: UInt64? {
        if let extensions, extensions.canEnd { return 0 }
        return closing.deadline
    }
}

/// Reading.
extension HybiConnection {
    /// The usual case before all others: a message that is one masked frame, all of it in `input` from `offset` on,
    /// on a server's open connection without extensions. Anything else, right or wrong, is left to ``next(_:_:)``.
    // Mutating, as `unmask` and `decode` are, because the connection is copied for a call that only borrows it.
    private mutating func nextWhole(_ input: UnsafeRawBufferPointer, _ offset: inout Int) -> HybiEvent? {
        guard requiresMask, extensions == nil, frame == nil, message.kind == nil, decoder.isBetweenFrames,
            closing.state == .open
        else { return nil }
        let available = input.count - offset
        guard available >= 6, let start = input.baseAddress.map({ $0 + offset }) else { return nil }
        let first = start.load(as: UInt8.self)
        let second = start.load(fromByteOffset: 1, as: UInt8.self)
        // Final, no reserved bits, and masked.
        guard first == 0x80 | Opcode.text.rawValue || first == 0x80 | Opcode.binary.rawValue, second & 0x80 != 0
        else { return nil }
        var headerBytes = 6
        var payloadBytes = Int(second & 0x7F)
        if payloadBytes == 126 {
            headerBytes = 8
            payloadBytes = Int(UInt16(bigEndian: start.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
        }
        guard payloadBytes != 127 || headerBytes == 8, payloadBytes <= maximumMessageBytes,
            available - headerBytes >= payloadBytes
        else { return nil }
        let key = MaskingKey(reading: start + (headerBytes - 4))
        let destination = scratch.prepare(payloadBytes)
        let isASCII = key.apply(from: start + headerBytes, to: destination, count: payloadBytes)
        let payload = UnsafeRawBufferPointer(start: destination, count: payloadBytes)
        let isText = first & 0x0F == Opcode.text.rawValue
        guard !isText || isASCII || UTF8Validator.isValid(payload) else { return nil }
        offset += headerBytes + payloadBytes
        return .message(isText ? .text : .binary, payload)
    }

    /// The next event in `input` from `offset` on, which moves; `nil` when all of the input is used.
    mutating func next(_ input: UnsafeRawBufferPointer, _ offset: inout Int) -> HybiEvent? {
        if let message = nextWhole(input, &offset) { return message }
        if let end = extensions?.takeEnd() { return end }
        // Nothing counts behind an end that is held.
        while closing.state != .closed, extensions?.isEnding != true {
            let header: FrameHeader
            if let frame {
                header = frame
            } else {
                do throws(ProtocolViolation) {
                    guard let next = try decoder.next(input, &offset, rules) else { return nil }
                    header = next
                } catch {
                    return .violation(error)
                }
            }
            let missing = header.payloadBytes - frameBytes
            let end = offset + min(missing, input.count - offset)
            let piece = UnsafeRawBufferPointer(rebasing: input[offset..<end])
            offset = end
            if piece.count < missing {
                frame = header
                return begin(header, piece)
            }
            let event = finish(header, piece)
            frame = nil
            frameBytes = 0
            if let event { return event }
        }
        offset = input.count
        return nil
    }

    private var rules: FrameHeader.Rules {
        FrameHeader.Rules(
            requiresMask: requiresMask, claimedBits: claimedBits, messageIsOpen: message.kind != nil,
            remainingBytes: maximumMessageBytes - message.byteCount)
    }

    /// Takes a piece of a payload that goes on in later input.
    private mutating func begin(_ header: FrameHeader, _ piece: UnsafeRawBufferPointer) -> HybiEvent? {
        // Of a frame without a byte so far nothing is collected: it may yet come whole.
        guard !piece.isEmpty else { return nil }
        let isValid = collect(header, piece)
        frameBytes += piece.count
        return isValid ? nil : .violation(.invalidText)
    }

    /// Takes the last piece of a payload (often all of it); `nil` if that makes no event.
    private mutating func finish(_ header: FrameHeader, _ piece: UnsafeRawBufferPointer) -> HybiEvent? {
        let isWhole = frameBytes == 0
        if header.opcode.isControl {
            if isWhole, piece.count <= DriverScratch.retainedBytes {
                return controlEvent(header.opcode, unmask(piece, header.key).payload)
            }
            _ = collect(header, piece)
            return controlEvent(header.opcode, control.bytes())
        }
        if isWhole, header.isFinal, header.opcode != .continuation,
            header.key == nil || piece.count <= DriverScratch.retainedBytes
        {
            let (payload, isASCII) = unmask(piece, header.key)
            if extensions != nil {
                let kind: MessageKind = header.opcode == .text ? .text : .binary
                return decode(kind, ReservedBits(rawValue: header.reservedBits), payload)
            }
            if header.opcode == .text, !isASCII, !UTF8Validator.isValid(payload) { return .violation(.invalidText) }
            return state == .open ? .message(header.opcode == .text ? .text : .binary, payload) : nil
        }
        guard collect(header, piece) else { return .violation(.invalidText) }
        guard header.isFinal, let kind = message.kind else { return nil }
        guard message.finish() || kind == .binary else { return .violation(.invalidText) }
        if extensions != nil {
            let event = decode(kind, message.reservedBits, message.payload)
            if case .message = event { return event }
            message.release(scratch)
            return event
        }
        return state == .open ? .message(kind, message.payload) : nil
    }

    /// The payload of a whole frame without its mask, and whether it is known to be ASCII.
    private mutating func unmask(
        _ piece: UnsafeRawBufferPointer, _ key: MaskingKey?
    ) -> (payload: UnsafeRawBufferPointer, isASCII: Bool) {
        guard let key, let source = piece.baseAddress else { return (piece, false) }
        let destination = scratch.prepare(piece.count)
        let isASCII = key.apply(from: source, to: destination, count: piece.count)
        return (UnsafeRawBufferPointer(start: destination, count: piece.count), isASCII)
    }

    /// Adds a piece to what is buffered; false if a text becomes invalid.
    private mutating func collect(_ header: FrameHeader, _ piece: UnsafeRawBufferPointer) -> Bool {
        let key = header.key?.advanced(by: frameBytes)
        let following = header.payloadBytes - frameBytes - piece.count
        if header.opcode.isControl {
            guard let source = piece.baseAddress, piece.count > 0 else { return true }
            let destination = control.extend(by: piece.count, following: following, scratch)
            (key ?? MaskingKey(littleEndian: 0)).apply(from: source, to: destination, count: piece.count)
            return true
        }
        if message.kind == nil {
            message.begin(
                header.opcode == .text ? .text : .binary, reservedBits: ReservedBits(rawValue: header.reservedBits),
                isEncoded: extensions != nil)
        }
        return message.append(
            piece, key: key, following: header.isFinal ? following : nil, keep: state == .open, scratch)
    }

    private mutating func controlEvent(_ opcode: Opcode, _ payload: UnsafeRawBufferPointer) -> HybiEvent? {
        if opcode == .close {
            let (code, reason) = CloseFrame.read(payload)
            return .close(code, reason: reason)
        }
        guard state == .open else {
            control.clear(scratch)
            return nil
        }
        return opcode == .ping ? .ping(payload) : .pong(payload)
    }
}

/// Events performed and reported. `key` masks the frame that an event may cause; a server has none.
extension HybiConnection {
    mutating func deliver<S: DriverSink & ~Copyable>(
        _ event: HybiEvent, key: MaskingKey?, output: inout OutputBuffer, into sink: inout S
    ) {
        switch event {
        case .message(let kind, let payload):
            sink.message(payload.bytes, kind: kind)
            message.release(scratch)
        case .decoded(let kind, let payload):
            sink.message(payload.span.bytes, kind: kind)
        case .ping(let payload):
            output.append(.pong, payload, key: key)
            sink.ping(payload.bytes)
            control.clear(scratch)
        case .pong(let payload):
            awaitedPongs.receive(payload)
            sink.pong(payload.bytes)
            control.clear(scratch)
        case .end:
            abandon(closing.receiveEnd(), into: &sink)
        case .close(let code, let reason):
            if let extensions, extensions.holdEnd(event) { return }
            let action = closing.receiveClose(code)
            finish(action, reason, key: key, output: &output)
            if action != .none { sink.closed(code, reason: reason) }
        case .violation(let violation):
            if let extensions, extensions.holdEnd(event) { return }
            fail(violation, key: key, output: &output, into: &sink)
        }
    }

    private mutating func fail<S: DriverSink & ~Copyable>(
        _ violation: ProtocolViolation, key: MaskingKey?, output: inout OutputBuffer, into sink: inout S
    ) {
        let action = closing.fail(violation.closeCode)
        finish(action, violation.message, key: key, output: &output)
        guard action != .none else { return }
        sink.failed(violation)
        sink.closed(violation.closeCode, reason: violation.message)
    }

    /// Starts the closing handshake; false if it was started before.
    mutating func close(
        _ code: CloseCode, reason: String, deadline: UInt64, key: MaskingKey?, output: inout OutputBuffer
    ) -> Bool {
        guard extensions?.isEnding != true else { return false }
        let action = closing.close(code, deadline: deadline)
        if action != .none, let extensions {
            if extensions.holdClose(CloseFrame.payload(code, reason)) { return true }
            extensions.close()
        }
        send(action, reason, key: key, output: &output)
        message.release(scratch)
        return action != .none
    }

    /// The peer's stream ended.
    mutating func receiveEnd<S: DriverSink & ~Copyable>(into sink: inout S) {
        if let extensions, extensions.holdEnd(.end) { return }
        abandon(closing.receiveEnd(), into: &sink)
    }

    /// Time passed.
    mutating func advance<S: DriverSink & ~Copyable>(to now: UInt64, into sink: inout S) {
        abandon(closing.advance(to: now), into: &sink)
    }

    private mutating func abandon<S: DriverSink & ~Copyable>(_ action: ClosingHandshake.Action, into sink: inout S) {
        guard action == .endStream else { return }
        release()
        sink.closed(.abnormal, reason: "")
    }

    private mutating func finish(
        _ action: ClosingHandshake.Action, _ reason: String, key: MaskingKey?, output: inout OutputBuffer
    ) {
        send(action, reason, key: key, output: &output)
        release()
    }

    private func send(
        _ action: ClosingHandshake.Action, _ reason: String, key: MaskingKey?, output: inout OutputBuffer
    ) {
        guard case .sendClose(let code, _) = action else { return }
        CloseFrame.payload(code, reason).withUnsafeBytes { output.append(.close, $0, key: key) }
    }

    private mutating func release() {
        message.release(scratch)
        control.clear(scratch)
        awaitedPongs.clear()
        extensions?.close()
    }
}

/// Messages through extensions.
extension HybiConnection {
    /// Puts the extensions in, before the first frame.
    mutating func use(_ members: [ExtensionMember]) {
        guard !members.isEmpty else { return }
        let pipeline = ExtensionPipeline(members, maximumMessageBytes: maximumMessageBytes)
        extensions = pipeline
        claimedBits = pipeline.claimedBits.rawValue
    }

    /// How a prepared message goes out; `nil` if it must be sent with `send`, or cannot be sent.
    var wireForm: PreparedMessage.WireForm? {
        guard state == .open else { return nil }
        guard let extensions else { return .hybi }
        return extensions.sharedDeflation.map(PreparedMessage.WireForm.hybiDeflated)
    }

    /// Writes a frame. False if the connection is not open, too many Pongs are awaited, or an extension fails, which the
    /// next call with a sink reports.
    mutating func send(
        _ opcode: Opcode, _ payload: UnsafeRawBufferPointer, onPong: (() -> Void)?, key: MaskingKey?,
        output: inout OutputBuffer
    ) -> Bool {
        guard state == .open else { return false }
        if let onPong, !awaitedPongs.add(payload, onPong) { return false }
        guard let extensions, !opcode.isControl else {
            output.append(opcode, payload, key: key)
            return true
        }
        switch extensions.processOutgoing(opcode == .text ? .text : .binary, payload) {
        case .unchanged:
            output.append(opcode, payload, key: key)
        case .message(let message):
            message.payload.withUnsafeBytes {
                output.append(opcode, $0, key: key, reservedBits: message.reservedBits)
            }
        case .later:
            break
        case .failed(let violation):
            extensions.holdFailure(violation)
            return false
        }
        return true
    }

    /// Takes what an extension finished; each result goes to `deliver`, and then `settle` is due.
    func complete(
        _ token: ExtensionToken, _ result: Result<ExtensionMessage, ExtensionFailure>
    ) -> [ExtensionLane.Result] {
        extensions?.complete(token, result) ?? []
    }

    mutating func deliver<S: DriverSink & ~Copyable>(
        _ result: ExtensionLane.Result, from token: ExtensionToken, key: MaskingKey?, output: inout OutputBuffer,
        into sink: inout S
    ) {
        guard closing.state != .closed else { return }
        switch (result, token.direction) {
        case (.message(let kind, let message), .incoming):
            guard case .decoded(_, let payload) = checked(kind, message.payload) else {
                return fail(.invalidText, key: key, output: &output, into: &sink)
            }
            sink.message(payload.span.bytes, kind: kind)
        case (.message(let kind, let message), .outgoing):
            message.payload.withUnsafeBytes {
                output.append(Opcode(kind), $0, key: key, reservedBits: message.reservedBits)
            }
        case (.failed(let violation), _):
            fail(violation, key: key, output: &output, into: &sink)
        }
    }

    /// Does what had to wait for messages under way, if none is any more.
    mutating func settle<S: DriverSink & ~Copyable>(
        key: MaskingKey?, output: inout OutputBuffer, into sink: inout S
    ) {
        guard let extensions else { return }
        if let payload = extensions.takeClose() {
            payload.withUnsafeBytes { output.append(.close, $0, key: key) }
            if !extensions.canEnd { extensions.close() }
        }
        if let end = extensions.takeEnd() { deliver(end, key: key, output: &output, into: &sink) }
    }

    func releaseIdleMemory() {
        extensions?.releaseIdleMemory()
    }

    private mutating func decode(
        _ kind: MessageKind, _ bits: ReservedBits, _ payload: UnsafeRawBufferPointer
    ) -> HybiEvent? {
        guard state == .open, let extensions else { return nil }
        switch extensions.processIncoming(kind, bits, payload) {
        case .unchanged:
            guard kind == .binary || UTF8Validator.isValid(payload) else { return .violation(.invalidText) }
            return .message(kind, payload)
        case .message(let message): return checked(kind, message.payload)
        case .later: return nil
        case .failed(let violation): return .violation(violation)
        }
    }

    /// A text is judged by what the extensions made of it (RFC 6455 §8.1, RFC 7692 §6.2).
    private func checked(_ kind: MessageKind, _ payload: [UInt8]) -> HybiEvent {
        kind == .binary || payload.withUnsafeBytes(UTF8Validator.isValid)
            ? .decoded(kind, payload) : .violation(.invalidText)
    }
}

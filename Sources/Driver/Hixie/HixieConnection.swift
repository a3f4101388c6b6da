/// The server's end of a connection in draft-hixie-75 or -76, from the answer's head on; a class, so that
/// connections of other versions carry a `nil` for all of it.
///
/// Rules: texts only, and those that are not UTF-8 are repaired with U+FFFD. A closing handshake exists in 76
/// only, has neither code nor reason, and is answered by itself; the owner of this drops it when it is over, so that
/// nothing is read or written after a close.
final class HixieConnection {
    let version: WebSocketVersion
    private var challenge: HixieChallenge?
    private var reader: HixieFrameReader

    init(_ handshake: HixieHandshake, maximumMessageBytes: Int) {
        version = handshake.version
        challenge = handshake.challenge
        reader = HixieFrameReader(
            hasCloseFrame: handshake.version == .hixie76, maximumMessageBytes: maximumMessageBytes)
    }

    var isWithinMessage: Bool { !reader.isBetweenFrames }

    /// How many bytes there is room for, of a text that has not come as a whole.
    var reservedByteCount: Int { reader.reservedByteCount }

    /// Reads what the challenge lacks; true when its answer is written and the connection open. 75 has no challenge.
    func readChallenge(
        _ input: UnsafeRawBufferPointer, _ offset: inout Int, output: inout OutputBuffer
    ) throws(ProtocolViolation) -> Bool {
        guard challenge?.read(input, &offset) ?? true else { return false }
        if let challenge {
            guard let answer = challenge.answer else { throw .hixieAnswerUnavailable }
            output.append(answer)
        }
        challenge = nil
        return true
    }

    /// The next event in `input` from `offset` on, which moves; `nil` when all of the input is used.
    func next(_ input: UnsafeRawBufferPointer, _ offset: inout Int) -> HixieEvent? {
        reader.next(input, &offset)
    }

    /// Performs and reports an event; false if the connection is over with it.
    func deliver<S: DriverSink & ~Copyable>(
        _ event: HixieEvent, output: inout OutputBuffer, into sink: inout S
    ) -> Bool {
        switch event {
        case .text(let payload):
            if UTF8Validator.isValid(payload) {
                sink.message(payload.bytes, kind: .text)
            } else {
                sink.message(Array(String(decoding: payload, as: UTF8.self).utf8).span.bytes, kind: .text)
            }
            reader.release()
            return true
        case .close:
            close(output: &output)
            sink.closed(.noStatus, reason: "")
            return false
        case .violation(let violation):
            close(output: &output)
            sink.failed(violation)
            sink.closed(.noStatus, reason: "")
            return false
        }
    }

    /// Says that we close, if the version can.
    func close(output: inout OutputBuffer) {
        if version == .hixie76 { output.append([0xFF, 0x00]) }
    }

    /// Sends what was queued or is to be sent now; false for what is no text.
    static func send(_ opcode: Opcode, _ payload: UnsafeRawBufferPointer, output: inout OutputBuffer) -> Bool {
        guard opcode == .text else { return false }
        output.append([HixieFrameEncoder.textPrefix])
        output.append(payload)
        output.append([HixieFrameEncoder.textSuffix])
        return true
    }
}

/// What a hixie stream brought; a payload stays valid until the reader's next call.
enum HixieEvent {
    /// The bytes of a text, which may not be UTF-8.
    case text(UnsafeRawBufferPointer)
    /// FF 00, in draft-hixie-76 only.
    case close
    case violation(ProtocolViolation)
}

/// Takes apart the frames of draft-hixie-75 §4.2 and -76 §5.3.
///
/// Rules: a byte below 80 starts a text that goes on to the next FF. A byte from 80 on starts a length, seven bits
/// to the byte with 80 on all but the last, and that many bytes are skipped, whatever they are. In 76 a length of
/// zero after FF is the closing handshake. A text that is whole in the input is not buffered.
struct HixieFrameReader: ~Copyable {
    private enum Stage {
        case frameStart
        case text
        case length(Int, isClose: Bool)
        case skipping(Int)
    }

    private let hasCloseFrame: Bool
    private let maximumMessageBytes: Int
    private var stage = Stage.frameStart
    private var buffer = PayloadBuffer()

    /// Whether nothing of a frame was read that is not complete.
    var isBetweenFrames: Bool { if case .frameStart = stage { true } else { false } }

    /// How many bytes there is room for, of a text that is not complete.
    var reservedByteCount: Int { buffer.reservedByteCount }

    init(hasCloseFrame: Bool, maximumMessageBytes: Int) {
        self.hasCloseFrame = hasCloseFrame
        self.maximumMessageBytes = maximumMessageBytes
    }

    /// The next event in `input` from `offset` on, which moves; `nil` when all of the input is used.
    mutating func next(_ input: UnsafeRawBufferPointer, _ offset: inout Int) -> HixieEvent? {
        while offset < input.count {
            switch stage {
            case .frameStart:
                let type = input[offset]
                offset += 1
                stage = type < 0x80 ? .text : .length(0, isClose: hasCloseFrame && type == 0xFF)
            case .text:
                if let event = readText(input, &offset) { return event }
            case .length(let length, let isClose):
                if let event = readLength(input[offset], length, isClose: isClose) { return event }
                offset += 1
            case .skipping(let count):
                let skipped = min(count, input.count - offset)
                offset += skipped
                stage = skipped == count ? .frameStart : .skipping(count - skipped)
            }
        }
        return nil
    }

    /// Forgets a text that was delivered, and its memory.
    mutating func release() {
        buffer.clear()
    }

    private mutating func readText(_ input: UnsafeRawBufferPointer, _ offset: inout Int) -> HixieEvent? {
        let end = input[offset...].firstIndex(of: 0xFF)
        let piece = UnsafeRawBufferPointer(rebasing: input[offset..<(end ?? input.count)])
        offset = end.map { $0 + 1 } ?? input.count
        guard piece.count <= maximumMessageBytes - buffer.count else { return .violation(.hixieMessageTooLong) }
        if end != nil, buffer.count == 0 {
            stage = .frameStart
            return .text(piece)
        }
        if let source = piece.baseAddress, !piece.isEmpty {
            buffer.extend(by: piece.count).copyMemory(from: source, byteCount: piece.count)
        }
        guard end != nil else { return nil }
        stage = .frameStart
        return .text(buffer.bytes())
    }

    private mutating func readLength(_ byte: UInt8, _ length: Int, isClose: Bool) -> HixieEvent? {
        let (scaled, overflow) = length.multipliedReportingOverflow(by: 128)
        guard !overflow else { return .violation(.hixieMessageTooLong) }
        let sum = scaled | Int(byte & 0x7F)
        if byte & 0x80 != 0 {
            stage = .length(sum, isClose: isClose)
        } else if sum > 0 {
            stage = .skipping(sum)
        } else {
            stage = .frameStart
            if isClose { return .close }
        }
        return nil
    }
}

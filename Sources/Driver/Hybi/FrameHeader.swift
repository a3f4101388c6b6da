/// The 2 to 14 bytes before a frame's payload (RFC 6455 §5.2).
struct FrameHeader: Equatable {
    var isFinal: Bool
    /// RSV1 to RSV3 where they stand in the first byte: 0x40, 0x20, 0x10.
    var reservedBits: UInt8
    var opcode: Opcode
    var payloadBytes: Int
    var key: MaskingKey?

    static let maximumBytes = 14

    /// What a reader knows when the next frame begins.
    struct Rules {
        /// A server demands masks (RFC 6455 §5.1); a client accepts frames with and without.
        var requiresMask: Bool
        /// The bits that active extensions claim on the first frame of a message.
        var claimedBits: UInt8 = 0
        /// Whether a message is unfinished, so that its continuation is due.
        var messageIsOpen: Bool
        /// How many bytes the (open or next) message may still have.
        var remainingBytes: Int
    }

    enum Parse: Equatable {
        /// Valid as far as it goes.
        case incomplete
        case complete(FrameHeader, headerBytes: Int)
    }

    /// Reads a header at the start of `bytes`, checking each byte as soon as it is there, so that a violation does
    /// not depend on how the stream was cut.
    static func parse(
        _ bytes: UnsafeRawBufferPointer, _ rules: Rules
    ) throws(ProtocolViolation) -> Parse {
        guard bytes.count >= 1 else { return .incomplete }
        let first = bytes[0]
        let opcode = try checkFirstByte(first, rules)

        guard bytes.count >= 2 else { return .incomplete }
        let second = bytes[1]
        let isMasked = second & 0x80 != 0
        let short = Int(second & 0x7F)
        if short <= 125, !opcode.isControl, short > rules.remainingBytes { throw .messageTooLong }
        // "A server MUST NOT accept unmasked frames" (RFC 6455 §5.1). 1003 as servers of Faye say; that "MAY" be 1002.
        if rules.requiresMask, !isMasked { throw .unmaskedFrame }

        var headerBytes = 2
        var payloadBytes = short
        if short >= 126 {
            headerBytes = short == 126 ? 4 : 10
            guard bytes.count >= headerBytes else { return .incomplete }
            let long =
                short == 126
                ? UInt64(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
                : UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
            if opcode.isControl { throw .longControlFrame(long) }
            guard long <= UInt64(rules.remainingBytes) else { throw .messageTooLong }
            payloadBytes = Int(long)
        }
        var key: MaskingKey?
        if isMasked {
            guard bytes.count >= headerBytes + 4, let base = bytes.baseAddress else { return .incomplete }
            key = MaskingKey(reading: base + headerBytes)
            headerBytes += 4
        }
        let header = Self(
            isFinal: first & 0x80 != 0, reservedBits: first & 0x70, opcode: opcode, payloadBytes: payloadBytes, key: key
        )
        return .complete(header, headerBytes: headerBytes)
    }

    private static func checkFirstByte(_ byte: UInt8, _ rules: Rules) throws(ProtocolViolation) -> Opcode {
        let opcode = Opcode(rawValue: byte & 0x0F)
        let startsMessage = opcode == .text || opcode == .binary
        let allowedBits = startsMessage ? rules.claimedBits : 0
        if byte & 0x70 & ~allowedBits != 0 { throw .reservedBits(byte) }
        guard let opcode else { throw .unknownOpcode(byte & 0x0F) }
        switch opcode {
        case .close, .ping, .pong:
            if byte & 0x80 == 0 { throw .fragmentedControlFrame(opcode) }
        case .text, .binary:
            if rules.messageIsOpen { throw .unfinishedMessage }
        case .continuation:
            if !rules.messageIsOpen { throw .unexpectedContinuation }
        }
        return opcode
    }
}

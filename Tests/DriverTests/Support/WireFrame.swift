/// A frame written byte by byte as RFC 6455 §5.2 draws it, legal or not; the reference for the driver's own code.
struct WireFrame {
    var isFinal = true
    var reservedBits: UInt8 = 0
    var opcode: UInt8
    var key: [UInt8]? = [0x37, 0xFA, 0x21, 0x3D]
    var payload: [UInt8]
    /// What the header says, if that is not the payload's length in its shortest form.
    var announcedBytes: UInt64?
    var lengthForm: UInt8?

    init(
        _ opcode: UInt8, _ payload: [UInt8] = [], isFinal: Bool = true, reservedBits: UInt8 = 0,
        announcedBytes: UInt64? = nil, lengthForm: UInt8? = nil
    ) {
        self.opcode = opcode
        self.payload = payload
        self.isFinal = isFinal
        self.reservedBits = reservedBits
        self.announcedBytes = announcedBytes
        self.lengthForm = lengthForm
    }

    static func text(_ text: String, isFinal: Bool = true) -> Self { Self(1, Array(text.utf8), isFinal: isFinal) }

    static func close(_ code: UInt16, _ reason: String = "") -> Self {
        Self(8, [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(reason.utf8))
    }

    var unmasked: Self {
        var frame = self
        frame.key = nil
        return frame
    }

    var bytes: [UInt8] {
        let length = announcedBytes ?? UInt64(payload.count)
        let form = lengthForm ?? (length <= 125 ? UInt8(length) : length <= 65535 ? 126 : 127)
        var bytes: [UInt8] = [(isFinal ? 0x80 : 0) | reservedBits | opcode, (key == nil ? 0 : 0x80) | form]
        switch form {
        case 126: bytes += [8, 0].map { UInt8(truncatingIfNeeded: length >> $0) }
        case 127: bytes += (0..<8).reversed().map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
        default: break
        }
        guard let key else { return bytes + payload }
        return bytes + key + payload.enumerated().map { $1 ^ key[$0 % 4] }
    }
}

extension [WireFrame] {
    var bytes: [UInt8] { flatMap(\.bytes) }
}

/// A frame that a driver wrote, taken apart; only what a driver may write.
struct WrittenFrame: Equatable, Sendable {
    var opcode: UInt8
    var payload: [UInt8]

    /// All frames in `bytes`, or `nil` if they are not legal, whole, unfragmented, in the shortest form of
    /// length, and masked as they should be.
    static func parseAll(_ bytes: [UInt8], masked: Bool) -> [Self]? {
        var rest = bytes[...]
        var frames: [Self] = []
        while !rest.isEmpty {
            guard rest.count >= 2, let first = rest.popFirst(), let second = rest.popFirst() else { return nil }
            let opcode = first & 0x0F
            guard first & 0xF0 == 0x80, [1, 2, 8, 9, 10].contains(opcode), (second & 0x80 != 0) == masked else {
                return nil
            }
            let form = Int(second & 0x7F)
            let extra = form == 126 ? 2 : form == 127 ? 8 : 0
            guard extra == 0 || opcode < 8, rest.count >= extra else { return nil }
            let count = extra == 0 ? form : rest.prefix(extra).reduce(0) { $0 << 8 | Int($1) }
            guard extra == 0 || count > (extra == 2 ? 125 : 65535) else { return nil }
            rest = rest.dropFirst(extra)
            let key = Array(rest.prefix(masked ? 4 : 0))
            rest = rest.dropFirst(key.count)
            guard rest.count >= count else { return nil }
            let payload = rest.prefix(count).enumerated().map { masked ? $1 ^ key[$0 % 4] : $1 }
            rest = rest.dropFirst(count)
            frames.append(Self(opcode: opcode, payload: payload))
        }
        return frames
    }
}

import Synchronization

/// A server's message that is encoded once for many connections, whose owner writes the bytes itself.
///
/// It asks each driver for its ``ServerDriver/wireForm``. Immutable but for the forms other than `hybi`, which are
/// made when they are first asked for; any thread may ask.
public final class PreparedMessage: Sendable {
    /// What a connection takes. More forms may come.
    public enum WireForm: Hashable, Sendable {
        /// A frame of RFC 6455, as it is.
        case hybi
        /// A frame of RFC 6455 whose payload is deflated by itself, if it is long enough.
        case hybiDeflated(DeflateSettings)
        /// A frame of the hixie drafts, which have texts only.
        case hixie
    }

    /// What the message holds.
    public let kind: MessageKind
    /// The payload.
    public let payload: [UInt8]
    private let frame: [UInt8]
    private let otherFrames = Mutex<[WireForm: [UInt8]]>([:])

    /// A message; `nil` if it is a text and not UTF-8.
    public init?(_ kind: MessageKind, _ payload: [UInt8]) {
        guard kind == .binary || payload.withUnsafeBytes(UTF8Validator.isValid) else { return nil }
        self.kind = kind
        self.payload = payload
        frame = Self.frame(kind, payload, reservedBits: [])
    }

    /// A text.
    public init(_ text: String) {
        kind = .text
        payload = Array(text.utf8)
        frame = Self.frame(.text, payload, reservedBits: [])
    }

    /// The bytes to write to a connection that takes this form: one unmasked frame, or nothing for a binary message in
    /// hixie. The array shares its memory with the message. Without memory to deflate, the frame is not compressed,
    /// which every connection understands.
    public func bytes(for form: WireForm) -> [UInt8] {
        switch form {
        case .hybi: return frame
        case .hybiDeflated(let settings) where payload.count < settings.minimumBytes: return frame
        case .hybiDeflated, .hixie: break
        }
        return otherFrames.withLock { frames in
            if let frame = frames[form] { return frame }
            let made = make(form)
            frames[form] = made
            return made
        }
    }

    private func make(_ form: WireForm) -> [UInt8] {
        switch form {
        case .hybi:
            return frame
        case .hybiDeflated(let settings):
            guard let deflater = Deflater(settings) else { return frame }
            let deflated = payload.withUnsafeBytes { deflater.deflate($0.bytes) }
            return Self.frame(kind, deflated, reservedBits: .rsv1)
        case .hixie:
            var bytes: [UInt8] = []
            if kind == .text { payload.withUnsafeBytes { HixieFrameEncoder.appendText($0.bytes, to: &bytes) } }
            return bytes
        }
    }

    private static func frame(_ kind: MessageKind, _ payload: [UInt8], reservedBits: ReservedBits) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(FrameEncoder.serverFrameBytes(payloadBytes: payload.count))
        payload.withUnsafeBytes {
            FrameEncoder.append(Opcode(kind), $0, key: nil, reservedBits: reservedBits, to: &bytes)
        }
        return bytes
    }
}

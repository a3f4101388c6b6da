/// What a frame is (RFC 6455 §5.2); the other ten values are violations.
public enum Opcode: UInt8, Sendable {
    /// A further fragment of the open message.
    case continuation = 0
    /// A text message, or its first fragment.
    case text = 1
    /// A binary message, or its first fragment.
    case binary = 2
    /// Starts or answers the closing handshake.
    case close = 8
    /// Asks for a Pong with the same payload.
    case ping = 9
    /// Answers a Ping, or just shows life.
    case pong = 10

    /// Close, Ping and Pong: at most 125 bytes, never fragmented, allowed between fragments.
    public var isControl: Bool { rawValue & 0x8 != 0 }

    /// The opcode of a message of this kind.
    init(_ kind: MessageKind) {
        self =
            switch kind {
            case .text: .text
            case .binary: .binary
            }
    }
}

/// What a hybi stream brought; payloads stay valid until the event was delivered.
enum HybiEvent {
    case message(MessageKind, UnsafeRawBufferPointer)
    case ping(UnsafeRawBufferPointer)
    case pong(UnsafeRawBufferPointer)
    /// A message that an extension changed, which therefore has a payload of its own.
    case decoded(MessageKind, [UInt8])
    /// The peer's stream ended.
    case end
    // Rare and large, hence boxed: a message's event stays small.
    indirect case close(CloseCode, reason: String)
    indirect case violation(ProtocolViolation)

    /// Whether delivering it may write a frame, for which a client needs a masking key.
    var mayNeedAnswer: Bool {
        switch self {
        case .ping, .close, .violation: true
        case .message, .decoded, .pong, .end: false
        }
    }
}

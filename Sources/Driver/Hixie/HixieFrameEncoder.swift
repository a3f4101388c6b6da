/// Writes the frames of draft-hixie-75 and -76: what ``FrameEncoder`` is for the other versions.
///
/// A text is the same for all clients and both versions, so a broker encodes a publication once and shares it.
public enum HixieFrameEncoder {
    /// The byte before a text.
    public static let textPrefix: UInt8 = 0x00
    /// The byte behind a text, which UTF-8 never contains.
    public static let textSuffix: UInt8 = 0xFF

    /// The size of a frame with a payload of this size.
    public static func textFrameBytes(payloadBytes: Int) -> Int { payloadBytes + 2 }

    /// Appends a text frame. The payload is UTF-8: this is not checked again.
    public static func appendText(_ payload: RawSpan, to bytes: inout [UInt8]) {
        bytes.append(textPrefix)
        payload.withUnsafeBytes { bytes.append(contentsOf: $0) }
        bytes.append(textSuffix)
    }
}

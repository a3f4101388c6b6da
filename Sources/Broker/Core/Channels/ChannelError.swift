/// Why a text is no channel name, or no pattern. For logs and for the authors of configuration: on the wire a client
/// gets `405:<text>:Invalid channel`, whatever the reason. Offsets count bytes of UTF-8 from 0.
package enum ChannelError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The text is empty, or begins with something else than a slash.
    case noLeadingSlash
    /// Two slashes in a row, or a slash at the end; the offset is where the segment should begin.
    case emptySegment(offset: Int)
    /// A character that the grammar does not have; U+FFFD when the bytes there are no UTF-8.
    case invalidCharacter(Unicode.Scalar, offset: Int)
    /// A `*` or `**` that another segment follows.
    case wildcardNotLast(offset: Int)
    /// A pattern where only a name will do: one publishes to a name.
    case wildcardInName(offset: Int)
    /// More bytes than the broker was told to accept; nothing else was checked.
    case tooLong(byteCount: Int, maximum: Int)

    /// Where the fault is, in bytes from the beginning; nil when it is no place but the length.
    package var offset: Int? {
        switch self {
        case .noLeadingSlash: 0
        case .emptySegment(let offset), .invalidCharacter(_, let offset), .wildcardNotLast(let offset),
            .wildcardInName(let offset):
            offset
        case .tooLong: nil
        }
    }

    /// One line, safe for a log: a character that is not printable ASCII is written as its number only.
    package var description: String {
        switch self {
        case .noLeadingSlash:
            "a channel begins with '/'"
        case .emptySegment(let offset):
            "empty segment at byte \(offset)"
        case .invalidCharacter(let scalar, let offset):
            "character \(Self.name(of: scalar)) at byte \(offset) is not allowed in a channel"
        case .wildcardNotLast(let offset):
            "wildcard at byte \(offset) is not the last segment"
        case .wildcardInName(let offset):
            "wildcard at byte \(offset), where a channel name is needed and not a pattern"
        case .tooLong(let byteCount, let maximum):
            "channel of \(byteCount) bytes, at most \(maximum) are accepted"
        }
    }

    private static func name(of scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16, uppercase: true)
        let number = "U+" + String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
        return (0x21...0x7E).contains(scalar.value) ? "'\(scalar)' (\(number))" : number
    }
}

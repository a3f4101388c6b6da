/// Why a text is no Bayeux batch. Every one is the peer's fault and concerns the whole text: none of its messages may
/// be acted upon (HTTP: 400; WebSocket: log it, answer nothing). Offsets count bytes from 0.
package enum EnvelopeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong with a text that is not JSON (RFC 8259).
    package enum Fault: Equatable, Sendable {
        /// The text ends in the middle of a value; an empty text is such a case.
        case unexpectedEnd
        /// A value should begin here.
        case valueExpected
        /// A member's name, a string, should begin here.
        case nameExpected
        /// A `:` should follow a member's name.
        case colonExpected
        /// A `,` or the closing bracket should follow a value.
        case commaOrEndExpected
        /// A number that breaks the grammar: `01`, `1.`, `-`, `1e`.
        case malformedNumber
        /// An escape that JSON does not have, or `\u` without four hexadecimal digits.
        case malformedEscape
        /// A control character (U+0000 to U+001F) in a string; it has to be escaped.
        case controlCharacter
        /// Something after the end of the value.
        case trailingBytes
        /// The bytes are not UTF-8.
        case invalidUTF8
    }

    /// The text is not JSON.
    case notJSON(Fault, offset: Int)
    /// A bracket is opened inside of as many as are allowed.
    case tooDeep(maximum: Int, offset: Int)
    /// The batch has more messages than are allowed; the rest was not read.
    case tooManyMessages(maximum: Int)
    /// The text is JSON, but neither an object nor an array.
    case notAMessage(JSONSlice.Kind)
    /// The text has more bytes than offsets can count (4 GiB).
    case tooLong(byteCount: Int)

    package var description: String {
        switch self {
        case .notJSON(let fault, let offset): "not JSON: \(fault) at byte \(offset)"
        case .tooDeep(let maximum, let offset): "nested deeper than \(maximum) levels at byte \(offset)"
        case .tooManyMessages(let maximum): "more than \(maximum) messages in one batch"
        case .notAMessage(let kind): "neither an object nor an array but \(kind)"
        case .tooLong(let byteCount): "a text of \(byteCount) bytes, less than 4 GiB are possible"
        }
    }
}

extension EnvelopeError.Fault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unexpectedEnd: "unexpected end"
        case .valueExpected: "a value expected"
        case .nameExpected: "the name of a member expected"
        case .colonExpected: "':' expected"
        case .commaOrEndExpected: "',' or a closing bracket expected"
        case .malformedNumber: "malformed number"
        case .malformedEscape: "malformed escape in a string"
        case .controlCharacter: "control character in a string"
        case .trailingBytes: "bytes after the end"
        case .invalidUTF8: "invalid UTF-8"
        }
    }
}

extension JSONSlice.Kind: CustomStringConvertible {
    package var description: String {
        switch self {
        case .absent: "nothing"
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .number: "a number"
        case .string, .escapedString: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

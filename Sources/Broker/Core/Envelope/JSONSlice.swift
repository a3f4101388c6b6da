/// Where a JSON value lies in the text that was scanned, and what it is: nothing is copied, nothing decoded.
///
/// It means something only together with the very text it came from, which every reading function takes; with another
/// text those answer nonsense or nil, and never read outside of it.
package struct JSONSlice: Sendable, Equatable, BitwiseCopyable {
    /// What the value is.
    package enum Kind: Sendable, Equatable, BitwiseCopyable {
        /// There is no such value: the member was not in the object.
        case absent
        case null
        case bool(Bool)
        case number
        /// A string without a single backslash: its characters are the bytes between its quotes.
        case string
        /// A string with escapes.
        case escapedString
        case array
        case object
    }

    /// What the value is.
    package var kind: Kind
    /// Where its first byte is, counted from the start of the scanned text.
    package var offset: UInt32
    /// How many bytes it has, quotes and brackets included. 0 when absent.
    package var count: UInt32

    /// No value.
    package static let absent = JSONSlice(kind: .absent, offset: 0, count: 0)

    package init(kind: Kind, offset: UInt32, count: UInt32) {
        self.kind = kind
        self.offset = offset
        self.count = count
    }

    /// Whether there is no such value. A `null` that was written is a value.
    package var isAbsent: Bool { kind == .absent }

    /// Whether it is a string, with escapes or without.
    package var isString: Bool { kind == .string || kind == .escapedString }

    /// The bytes of the value in the scanned text.
    package var range: Range<Int> { Int(offset)..<Int(offset) + Int(count) }
}

/// The header fields of a request or response in their order; names are compared without case.
public struct HeaderFields: Sendable, Equatable, Sequence {
    /// One field; the value has no blanks around it.
    public struct Field: Sendable, Equatable {
        /// The name as it was written.
        public var name: String
        /// The value.
        public var value: String

        /// A field.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    private var fields: [Field] = []

    /// No fields.
    public init() {}

    /// Fields in order, from names and values.
    public init(_ pairs: some Sequence<(String, String)>) {
        fields = pairs.map { Field(name: $0, value: $1) }
    }

    /// How many fields there are.
    public var count: Int { fields.count }

    /// Iterates over the fields in their order.
    public func makeIterator() -> IndexingIterator<[Field]> { fields.makeIterator() }

    /// Adds a field at the end, also if there is one of that name.
    public mutating func append(_ name: String, _ value: String) {
        fields.append(Field(name: name, value: value))
    }

    /// The first value for a name.
    public func first(_ name: String) -> String? {
        fields.first { ASCII.equal($0.name, name) }?.value
    }

    /// All values for a name.
    public func all(_ name: String) -> [String] {
        fields.lazy.filter { ASCII.equal($0.name, name) }.map(\.value)
    }

    /// All values for a name as one comma-separated list (RFC 9110 §5.3); `nil` if there is none.
    public func combined(_ name: String) -> String? {
        let values = all(name)
        return values.isEmpty ? nil : values.joined(separator: ", ")
    }

    /// The elements of the comma-separated list that all values for a name make.
    public func list(_ name: String) -> [Substring] {
        all(name).flatMap { $0.split(separator: ",") }.map(ASCII.trimmed).filter { !$0.isEmpty }
    }

    /// Whether that list has an element, compared without case.
    public func hasToken(_ name: String, _ token: String) -> Bool {
        list(name).contains { ASCII.equal($0, token) }
    }
}

/// The character classes of HTTP (RFC 9110 §5.6).
enum ASCII {
    static func equal(_ first: some StringProtocol, _ second: some StringProtocol) -> Bool {
        first.utf8.count == second.utf8.count
            && zip(first.utf8, second.utf8).allSatisfy { lowercase($0) == lowercase($1) }
    }

    static func lowercase(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
        default: byte
        }
    }

    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    static func isDigit(_ byte: UInt8) -> Bool { 0x30...0x39 ~= byte }

    static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default:
            punctuation.contains(byte)
        }
    }

    static func isToken(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy(isTokenByte)
    }

    /// Without spaces and tabs at the ends.
    static func trimmed(_ text: Substring) -> Substring {
        var utf8 = text.utf8
        while let first = utf8.first, isBlank(first) { utf8.removeFirst() }
        while let last = utf8.last, isBlank(last) { utf8.removeLast() }
        return Substring(utf8)
    }

    private static let punctuation = Array("!#$%&'*+-.^_`|~".utf8)
}

/// What follows a parameter's name in `Sec-WebSocket-Extensions`.
public enum ExtensionValue: Hashable, Sendable {
    /// No value.
    case flag
    /// A whole number, without leading zeros.
    case integer(Int)
    /// A number with a fraction, or one too large for an `Int`.
    case decimal(Double)
    /// Anything else, such as `007`.
    case text(String)
    /// The values of a parameter that is there more than once, in their order; never nested.
    case list([ExtensionValue])

    /// The value that a token or the content of a quoted string stands for; numbers are
    /// `-?(0|[1-9][0-9]*)(\.[0-9]+)?`.
    init(reading text: String) {
        if Self.isNumber(text) {
            if let integer = Int(text) {
                self = .integer(integer)
                return
            }
            if let decimal = Double(text), decimal.isFinite {
                self = .decimal(decimal)
                return
            }
        }
        self = .text(text)
    }

    private static func isNumber(_ text: String) -> Bool {
        var rest = Substring(text).utf8
        if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        let whole = rest.prefix(while: ASCII.isDigit)
        guard let first = whole.first, first != UInt8(ascii: "0") || whole.count == 1 else { return false }
        rest = rest[whole.endIndex...]
        guard rest.first == UInt8(ascii: ".") else { return rest.isEmpty }
        rest = rest.dropFirst()
        return !rest.isEmpty && rest.allSatisfy(ASCII.isDigit)
    }
}

/// The parameters of one offer or response, in their order.
public struct ExtensionParameters: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    /// The names, each once, in the order of their first occurrence.
    public private(set) var names: [String] = []
    private var values: [String: ExtensionValue] = [:]

    /// No parameters.
    public init() {}

    /// Parameters from names and values; a repeated name makes a list.
    public init(dictionaryLiteral elements: (String, ExtensionValue)...) {
        for (name, value) in elements { append(name, value) }
    }

    /// The value of a parameter, `nil` if it is not there.
    public subscript(name: String) -> ExtensionValue? { values[name] }

    /// Whether there are none.
    public var isEmpty: Bool { names.isEmpty }

    /// Adds a parameter; the values of a repeated one become a list.
    public mutating func append(_ name: String, _ value: ExtensionValue) {
        guard let index = values.index(forKey: name) else {
            names.append(name)
            values[name] = value
            return
        }
        values.values[index].append(value)
    }
}

extension ExtensionValue {
    /// One value more: a list.
    fileprivate mutating func append(_ value: ExtensionValue) {
        guard case .list(var list) = self else { return self = .list([self, value]) }
        // Given up while it grows, so that the list is not copied for each value.
        self = .flag
        list.append(value)
        self = .list(list)
    }
}

/// One element of `Sec-WebSocket-Extensions`: an extension's name with its parameters.
public struct ExtensionOffer: Hashable, Sendable {
    /// The extension's name, a token.
    public var name: String
    /// Its parameters.
    public var parameters: ExtensionParameters

    /// An element.
    public init(name: String, parameters: ExtensionParameters = .init()) {
        self.name = name
        self.parameters = parameters
    }
}

/// The header field `Sec-WebSocket-Extensions` (RFC 6455 §9.1).
public enum ExtensionHeader {
    /// The field's name.
    public static let name = "Sec-WebSocket-Extensions"

    /// A value that does not follow the grammar.
    public struct Malformed: Error, Hashable, Sendable, CustomStringConvertible {
        /// The value.
        public let value: String

        /// One line for people.
        public var description: String { "Invalid \(ExtensionHeader.name) header: \(value)" }
    }

    /// The longest value that is read, in bytes; a longer one is malformed.
    public static let maximumBytes = 65_536

    /// Reads a value in time linear in its length; an empty one has no elements.
    ///
    /// Laxer than RFC 6455 §9.1: the content of a quoted string may be any printable ASCII, not only a token.
    /// Stricter than RFC 9110 §5.6.1: empty elements are refused, and so are blanks around `=`.
    public static func parse(_ value: String) throws(Malformed) -> [ExtensionOffer] {
        guard let offers = parse(utf8: value.utf8) else { throw Malformed(value: value) }
        return offers
    }

    /// The same for bytes; `nil` if they do not follow the grammar. Each byte is read a bounded number of times.
    public static func parse(utf8 bytes: some Collection<UInt8>) -> [ExtensionOffer]? {
        var parser = ExtensionHeaderParser(bytes)
        return parser.parse()
    }

    /// Writes elements as a value. Texts that are no tokens are quoted.
    public static func serialize(_ offers: [ExtensionOffer]) -> String {
        offers.map(serialize).joined(separator: ", ")
    }

    static func serialize(_ offer: ExtensionOffer) -> String {
        var text = offer.name
        for name in offer.parameters.names {
            switch offer.parameters[name] {
            case .list(let values)?: for value in values { text += "; " + serialize(name, value) }
            case let value?: text += "; " + serialize(name, value)
            case nil: break
            }
        }
        return text
    }

    private static func serialize(_ name: String, _ value: ExtensionValue) -> String {
        switch value {
        case .flag: name
        case .integer(let number): "\(name)=\(number)"
        case .decimal(let number): "\(name)=\(digits(number))"
        case .text(let text) where ASCII.isToken(text): "\(name)=\(text)"
        case .text(let text):
            "\(name)=\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
        case .list(let values): values.map { serialize(name, $0) }.joined(separator: "; ")
        }
    }

    /// A number as it is read again: with a fraction and without an exponent, which numbers here do not have.
    private static func digits(_ number: Double) -> String {
        let shortest = "\(number)"
        guard let mark = shortest.firstIndex(of: "e"), let exponent = Int(shortest[mark...].dropFirst()) else {
            return shortest
        }
        let sign = number < 0 ? "-" : ""
        // One digit is before the point.
        let digits = shortest[..<mark].filter { $0 != "-" && $0 != "." }
        guard exponent >= 0 else { return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits }
        let zeros = String(repeating: "0", count: max(0, exponent + 1 - digits.count))
        return sign + digits.prefix(exponent + 1) + zeros + "."
            + (digits.count > exponent + 1 ? digits.dropFirst(exponent + 1) : "0")
    }

    /// The elements of all fields of that name in a head.
    static func offers(in headers: HeaderFields) throws(Malformed) -> [ExtensionOffer] {
        let values = headers.all(name).filter { !$0.isEmpty }
        return values.isEmpty ? [] : try parse(values.joined(separator: ", "))
    }
}

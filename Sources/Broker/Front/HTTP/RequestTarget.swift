/// The target of a request in its parts (RFC 9112 §3.2.1).
struct RequestTarget {
    /// The path, as it was sent.
    let path: Substring
    /// The query's parameters, decoded, in order.
    let query: [(name: String, value: String)]

    init(_ target: String) {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = parts[0]
        query = parts.count > 1 ? Self.parameters(in: parts[1]) : []
    }

    /// The first parameter of that name.
    func first(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }

    /// Whether the path is that of the endpoint or below it.
    func isBelow(_ endpoint: String) -> Bool {
        path == endpoint || path.hasPrefix(endpoint) && path.dropFirst(endpoint.count).first == "/"
    }

    /// The parameters of a query or of a form (`application/x-www-form-urlencoded`).
    static func parameters(in text: some StringProtocol) -> [(name: String, value: String)] {
        text.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (decode(parts[0], plusIsSpace: true), parts.count > 1 ? decode(parts[1], plusIsSpace: true) : "")
        }
    }

    /// Replaces percent escapes; one that is malformed stays as it is.
    static func decode(_ text: some StringProtocol, plusIsSpace: Bool) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2, let value = hexValue(rest.prefix(2)) {
                bytes.append(value)
                rest.removeFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") && plusIsSpace ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func hexValue(_ digits: ArraySlice<UInt8>) -> UInt8? {
        // `UInt8(_:radix:)` would take a sign, too.
        guard digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }) else { return nil }
        return UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}

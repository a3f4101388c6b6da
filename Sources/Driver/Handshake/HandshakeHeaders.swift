/// The header fields that an owner adds to a handshake.
///
/// Neither can break out of its line, nor take the place of one that the driver writes.
struct HandshakeHeaders {
    private(set) var fields = HeaderFields()

    private static let reserved = [
        "upgrade", "connection", "host", "content-length", "content-type", "transfer-encoding",
    ]
    /// The fields that may be there more than once; of others the first one counts.
    private static let repeatable = ["set-cookie", "set-cookie2", "warning", "www-authenticate"]

    /// Adds a field; false if the name is no token or reserved, or the value has control or non-ASCII characters.
    mutating func set(_ name: String, _ value: String) -> Bool {
        let lowercased = name.lowercased()
        guard ASCII.isToken(name), !Self.reserved.contains(lowercased), !lowercased.hasPrefix("sec-websocket-"),
            !lowercased.hasPrefix("websocket-"),
            value.utf8.allSatisfy({ 0x20...0x7E ~= $0 })
        else { return false }
        if Self.repeatable.contains(lowercased) || fields.first(name) == nil {
            fields.append(name, String(ASCII.trimmed(Substring(value))))
        }
        return true
    }

    var lines: String {
        fields.map { "\($0.name): \($0.value)\r\n" }.joined()
    }
}

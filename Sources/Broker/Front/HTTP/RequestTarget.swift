/// The target of a request in its parts (RFC 9112 §3.2): a path, or a URL whose authority is passed over.
///
/// It is taken apart as bytes. As characters the marks behind a separator would hide it, and to compare texts that have
/// many marks takes more than linear time.
struct RequestTarget {
    /// The path, as it was sent.
    let path: Substring
    /// The query, as it was sent, without its question mark.
    let queryText: Substring
    /// The query's parameters, decoded, in order.
    let query: [(name: String, value: String)]

    init(_ target: String) {
        let target = Self.withoutAuthority(target)
        let end = target.utf8.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
        path = target[..<end]
        queryText = Substring(target[end...].utf8.dropFirst())
        query = Self.parameters(in: queryText)
    }

    /// The part behind the authority, which a client sends that takes the broker for a proxy (RFC 9112 §3.2.2).
    private static func withoutAuthority(_ target: String) -> Substring {
        let schemes = ["http://", "https://"]
        guard let scheme = schemes.first(where: { target.utf8.starts(with: $0.utf8) }) else { return target[...] }
        let rest = Substring(target.utf8.dropFirst(scheme.utf8.count))
        guard let start = rest.utf8.firstIndex(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }) else {
            return "/"
        }
        return rest.utf8[start] == UInt8(ascii: "/") ? rest[start...] : "/" + rest[start...]
    }

    /// The first parameter of that name.
    func first(_ name: String) -> String? {
        query.first { $0.name.utf8.elementsEqual(name.utf8) }?.value
    }

    /// Whether the path is ASCII, as paths are (RFC 3986 §2); nothing is served at another one.
    var isPlain: Bool { path.utf8.allSatisfy { $0 < 0x80 } }

    /// Whether the path is that of the endpoint or below it, as CometD's clients append the name of the message; as with
    /// Faye, it may also have an extension. Scripts are files, wherever they lie.
    func isBelow(_ endpoint: String) -> Bool {
        guard isPlain, path.hasPrefix(endpoint), !path.hasSuffix(".js"), !path.hasSuffix(".map") else { return false }
        let rest = path.dropFirst(endpoint.count)
        switch rest.first {
        case nil, "/": return true
        case ".": return rest.count > 1 && !rest.dropFirst().contains(".")
        case _: return false
        }
    }

    /// The parameters of a query or of a form (`application/x-www-form-urlencoded`).
    static func parameters(in text: some StringProtocol) -> [(name: String, value: String)] {
        text.utf8.split { $0 == UInt8(ascii: "&") }.map { pair in
            let parts = pair.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == UInt8(ascii: "=") }
            return (decode(parts[0]), parts.count > 1 ? decode(parts[1]) : "")
        }
    }

    private static func decode(_ text: some Collection<UInt8>) -> String {
        String(decoding: FormField.decode(text, plusIsSpace: true), as: UTF8.self)
    }

    /// Replaces percent escapes; one that is malformed stays as it is.
    static func decode(_ text: some StringProtocol, plusIsSpace: Bool) -> String {
        String(decoding: FormField.decode(text.utf8, plusIsSpace: plusIsSpace), as: UTF8.self)
    }
}

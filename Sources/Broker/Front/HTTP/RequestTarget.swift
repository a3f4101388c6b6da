/// The target of a request in its parts (RFC 9112 §3.2): a path, or a URL whose authority is passed over.
struct RequestTarget {
    /// The path, as it was sent.
    let path: Substring
    /// The query, as it was sent, without its question mark.
    let queryText: Substring
    /// The query's parameters, decoded, in order.
    let query: [(name: String, value: String)]

    init(_ target: String) {
        let parts = Self.withoutAuthority(target)
            .split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = parts[0]
        queryText = parts.count > 1 ? parts[1] : ""
        query = Self.parameters(in: queryText)
    }

    /// The part behind the authority, which a client sends that takes the broker for a proxy (RFC 9112 §3.2.2).
    private static func withoutAuthority(_ target: String) -> Substring {
        guard let scheme = ["http://", "https://"].first(where: target.hasPrefix) else { return target[...] }
        let rest = target.dropFirst(scheme.count)
        guard let start = rest.firstIndex(where: { $0 == "/" || $0 == "?" }) else { return "/" }
        return rest[start] == "/" ? rest[start...] : "/" + rest[start...]
    }

    /// The first parameter of that name.
    func first(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }

    /// Whether the path is that of the endpoint or below it, as CometD's clients append the name of the message; as with
    /// Faye, it may also have an extension. Scripts are files, wherever they lie.
    func isBelow(_ endpoint: String) -> Bool {
        guard path.hasPrefix(endpoint), !path.hasSuffix(".js"), !path.hasSuffix(".map") else { return false }
        let rest = path.dropFirst(endpoint.count)
        switch rest.first {
        case nil, "/": return true
        case ".": return rest.count > 1 && !rest.dropFirst().contains(".")
        case _: return false
        }
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
        String(decoding: FormField.decode(text.utf8, plusIsSpace: plusIsSpace), as: UTF8.self)
    }
}

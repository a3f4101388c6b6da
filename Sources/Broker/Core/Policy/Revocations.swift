/// Tokens that do not count any more, though they have not expired.
package struct Revocations: Sendable, Equatable {
    /// One of them.
    package enum Entry: Sendable, Equatable {
        /// The token with this `jti`.
        case token(String)
        /// All tokens of this `sub` that were made up to then (ms since 1970), and those that do not say when.
        case subject(String, issuedUpTo: Int64)
    }
    private var tokens: Set<String> = []
    private var subjects: [String: Int64] = [:]

    /// None.
    package init() {}

    /// Whether a token or a subject of that name could be taken back: the name is no longer than 1,024 bytes, and has no
    /// control characters, which no line of a list can hold and no terminal should be shown.
    package static func canName(_ name: some StringProtocol) -> Bool {
        name.utf8.count <= 1024
            && name.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
    }

    /// Whether there are none.
    package var isEmpty: Bool { tokens.isEmpty && subjects.isEmpty }

    /// Adds one.
    package mutating func insert(_ entry: Entry) {
        switch entry {
        case .token(let id): tokens.insert(id)
        case .subject(let subject, let time): subjects[subject] = max(time, subjects[subject] ?? time)
        }
    }

    /// Whether what a token says has been taken back.
    package func cover(_ principal: Principal) -> Bool {
        if let id = principal.tokenID, tokens.contains(id) { return true }
        guard let time = subjects[principal.subject] else { return false }
        return principal.issuedAt.map { $0 <= time } ?? true
    }
}

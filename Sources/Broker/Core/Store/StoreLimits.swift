/// How much of publications a store keeps. What would be beyond it is refused; what is not to be kept is not concerned.
package struct StoreLimits: Sendable, Equatable {
    /// What is in use of the database (bytes).
    package var databaseBytes = 16 << 30
    /// What is in memory only, with what it takes to find it (bytes).
    package var memoryBytes = 256 << 20

    /// The defaults.
    package init() {}
}

extension StoreError {
    /// As much is kept as may be.
    package static func noRoom(in what: String) -> Self {
        Self(
            .full, what: what, reason: "as much is kept as may be",
            remedy: "Clear what is retained, or raise limits.database-bytes or limits.memory-bytes")
    }
}

extension PublicationDraft {
    /// Whether it is to be read again.
    package var isKept: Bool { retention == .replace || history != nil }
}

/// How often each case of a closed set has come: one number for each, and none for anything else.
package struct CaseCounts<Case: CaseIterable & Hashable & Sendable>: Sendable, Equatable {
    private var counts: [Case: UInt64] = [:]

    /// Nothing has come yet.
    package init() {}

    /// How often it has come. One look-up: not for what happens with every message.
    package subscript(_ member: Case) -> UInt64 {
        get { counts[member] ?? 0 }
        set { counts[member] = newValue }
    }

    /// All cases in their order, each with its number.
    package var all: [(case: Case, count: UInt64)] { Case.allCases.map { ($0, self[$0]) } }

    /// Adds what another one has counted.
    package mutating func merge(_ other: Self) {
        counts.merge(other.counts, uniquingKeysWith: +)
    }
}

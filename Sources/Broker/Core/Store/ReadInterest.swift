import Synchronization

/// Whether somebody still wants what is to be read. Who asks for it and the store have it in common: what nobody wants when
/// its turn comes is not read.
package final class ReadInterest: Sendable {
    private let hasEnded = Atomic(false)

    /// It is wanted.
    package init() {}

    /// Whether nobody wants it any more.
    package var isGone: Bool { hasEnded.load(ordering: .relaxed) }

    /// From now on nobody wants it.
    package func end() { hasEnded.store(true, ordering: .relaxed) }
}

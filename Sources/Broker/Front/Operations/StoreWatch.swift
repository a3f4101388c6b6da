import BrokerCore

/// Whether the store does what it is asked, and what is to be said of that in the log: that it fails, once a minute that it
/// still does, and that it works again. Pure: time comes in (ns, monotonic).
struct StoreWatch {
    /// What is worth a line.
    enum News: Equatable {
        case fails(StoreError)
        /// So many operations have failed since that was told last.
        case stillFails(StoreError, count: Int)
        /// So many have in all, and it took so many seconds.
        case works(count: Int, seconds: UInt64)
    }
    /// How often a failure that goes on is told.
    static let reminder: UInt64 = 60_000_000_000
    /// So long nothing may have failed before the store is said to work: a disk that is nearly full takes one thing and
    /// not the next.
    static let rest: UInt64 = 5_000_000_000

    private struct Failure {
        var error: StoreError
        let began: UInt64
        var last: UInt64
        var told: UInt64
        var untoldCount = 0
        var count = 1
    }
    private var failure: Failure?

    /// Whether it has failed, and has not been seen to work since.
    var isFailing: Bool { failure != nil }

    /// An operation failed.
    mutating func fail(_ error: StoreError, now: UInt64) -> News? {
        guard var failure else {
            failure = Failure(error: error, began: now, last: now, told: now)
            return .fails(error)
        }
        defer { self.failure = failure }
        failure.last = now
        failure.count += 1
        guard failure.error.kind == error.kind else {
            (failure.error, failure.told, failure.untoldCount) = (error, now, 0)
            return .fails(error)
        }
        failure.untoldCount += 1
        guard now - failure.told >= Self.reminder else { return nil }
        defer { (failure.told, failure.untoldCount) = (now, 0) }
        return .stillFails(error, count: failure.untoldCount)
    }

    /// The store was tried, and has written.
    mutating func succeed(now: UInt64) -> News? {
        guard let failure, now - failure.last >= Self.rest else { return nil }
        self.failure = nil
        return .works(count: failure.count, seconds: (now - failure.began) / 1_000_000_000)
    }
}

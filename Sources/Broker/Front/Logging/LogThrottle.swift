import Logging

/// At most so many events with the same message in a second: a peer that fails again and again does not fill the disk.
///
/// Messages are constant texts (what varies is in the metadata), so there are few of them.
struct LogThrottle {
    enum Verdict: Equatable {
        /// Write it; so many like it were left out before.
        case write(suppressed: Int)
        case suppress
    }
    /// Events with one message within a second that are written.
    static let burst = 10
    /// Messages that are told apart; beyond it all are forgotten.
    static let messages = 1000

    private struct Kind {
        var second: Int64
        var count = 0
        var suppressed = 0
    }
    private var kinds: [String: Kind] = [:]

    /// Whether an event is written. Errors always are.
    mutating func admit(_ message: String, at level: Logger.Level, wall: Int64) -> Verdict {
        if level >= .error { return .write(suppressed: 0) }
        if kinds.count >= Self.messages, kinds[message] == nil { kinds.removeAll() }
        let second = wall / 1000
        var kind = kinds[message] ?? Kind(second: second)
        defer { kinds[message] = kind }
        if kind.second != second {
            let left = kind.suppressed
            kind = Kind(second: second, count: 1)
            return .write(suppressed: left)
        }
        kind.count += 1
        if kind.count <= Self.burst { return .write(suppressed: 0) }
        kind.suppressed += 1
        return .suppress
    }
}

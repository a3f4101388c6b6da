import BrokerCore
import Synchronization

/// What is kept in memory only, for the thread that writes and those that read.
final class VolatileLog: Sendable {
    private struct State {
        var log = MemoryLog()
        var lastSequence: UInt64 = 0
    }
    private let state = Mutex(State())

    var isEmpty: Bool { state.withLock { $0.log.isEmpty } }

    /// Up to here nothing is wanting: what is newer may be in the database, and on its way to here.
    var lastSequence: UInt64 { state.withLock { $0.lastSequence } }

    /// Reads what does not take long, where it is.
    func read<Value: Sendable>(_ body: (MemoryLog) -> Value) -> Value { state.withLock { body($0.log) } }

    /// What it is now, for what goes through much of it: the lock is free meanwhile, and what changes afterwards is copied.
    var snapshot: MemoryLog { state.withLock { $0.log } }

    func change<Value: Sendable>(_ body: (inout MemoryLog) -> Value) -> Value { state.withLock { body(&$0.log) } }

    /// Follows a transaction that was committed; `last` is the end of the log then.
    func follow(_ changes: VolatileChanges, through last: UInt64) {
        state.withLock { state in
            for change in changes.list {
                switch change {
                case .append(let draft, let sequence): state.log.append(draft, sequence: sequence)
                case .clearRetained(let channel): state.log.clearRetained(of: channel)
                }
            }
            state.lastSequence = last
        }
    }
}

/// What becomes of what is kept in memory only when a transaction is committed: one that fails leaves no trace.
struct VolatileChanges {
    enum Change {
        case append(PublicationDraft, sequence: UInt64)
        /// What was written has taken the place of a retained message, or has cleared it.
        case clearRetained(ChannelName)
    }
    private(set) var list: [Change] = []
    /// The channels that get a retained message; some of these may be cleared again.
    private(set) var retained: Set<ChannelName> = []

    mutating func append(_ draft: PublicationDraft, sequence: UInt64) {
        list.append(.append(draft, sequence: sequence))
        if draft.retention == .replace { retained.insert(draft.channel) }
    }

    mutating func clearRetained(of channel: ChannelName) { list.append(.clearRetained(channel)) }
}

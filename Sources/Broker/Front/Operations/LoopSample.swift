/// What an event loop tells of itself.
struct LoopSample: Sendable {
    let loop: UInt32
    let counters: LoopCounters
    /// Bytes that wait for its connections.
    var queuedBytes = 0
    /// Connections that do not take messages as fast as they come.
    var slowCount = 0
}

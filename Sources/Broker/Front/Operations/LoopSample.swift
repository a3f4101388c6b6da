/// What an event loop tells of itself.
struct LoopSample: Sendable {
    let loop: UInt32
    let counters: LoopCounters
    /// Memory for what has come over them and is not complete, or waits for its turn (bytes).
    var unfinishedBytes = 0
    /// Bytes that wait for its connections.
    var queuedBytes = 0
    /// Connections that do not take messages as fast as they come.
    var slowCount = 0
}

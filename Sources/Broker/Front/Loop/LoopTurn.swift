import NIOCore

/// Work that is done in slices, so that others have their turn between them.
enum LoopTurn {
    /// So long a slice waits for others. An event loop carries out tasks until there are none before it reads from any
    /// connection, so what is only put behind the other tasks lets none of them in.
    static let pause = TimeAmount.microseconds(500)
}

extension NIOIsolatedEventLoop {
    /// Goes on with `body` when the loop has looked at its connections, and not before so many nanoseconds have passed.
    func executeNextTurn(after wait: UInt64 = 0, _ body: @escaping () -> Void) {
        _ = scheduleTask(in: max(LoopTurn.pause, .nanoseconds(Int64(clamping: wait))), body)
    }
}

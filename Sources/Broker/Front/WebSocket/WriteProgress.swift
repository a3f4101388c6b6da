import NIOCore

/// Sees whether a peer takes what waits for it: not how much, but that the bytes move.
struct WriteProgress {
    private var waitingBytes = 0
    private var givenBytes = 0
    /// When something moved, as far as that was looked at (ns, monotonic).
    private var movedAt: UInt64 = 0

    /// Looks again: whether none of `waitingBytes` has left for `limit` (ns). `givenBytes` is all that the channel
    /// was ever given, of which TLS makes a little more, never less.
    mutating func isStuck(waitingBytes: Int, givenBytes: Int, now: UInt64, limit: UInt64) -> Bool {
        let wouldWait = self.waitingBytes + (givenBytes &- self.givenBytes)
        if waitingBytes == 0 || self.waitingBytes == 0 || waitingBytes < wouldWait { movedAt = now }
        self.waitingBytes = waitingBytes
        self.givenBytes = givenBytes
        return now - min(now, movedAt) >= limit
    }
}

extension NIOCore.Channel {
    /// Bytes that the system has not taken yet; to be asked on the channel's loop.
    var waitingBytes: Int { (try? syncOptions?.getOption(.bufferedWritableBytes)) ?? 0 }
}

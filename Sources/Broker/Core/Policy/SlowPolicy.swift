/// What happens to a channel's messages for a subscriber whose connection does not take them fast enough.
///
/// Whatever it is, the others are not held up, the subscriber is told what it misses, and what the log has is no loss:
/// it is read again when its turn comes.
package enum SlowPolicy: String, Sendable, CaseIterable {
    /// They wait, up to the bounds of the session's queue; then the oldest make room.
    case queue
    /// Only the newest one of the channel waits.
    case latest
    /// The connection is closed; the client comes back when it can.
    case disconnect
}

/// Why a connection is not read from.
enum PauseReason {
    /// Too much of what it sent waits for the store.
    case store
    /// Too much of what its event loop has sent waits for the router.
    case loop
    /// Too much of what it asked for waits for it.
    case output
    /// What it has sent became so much that others come first.
    case turn
}

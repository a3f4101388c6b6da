/// Where a connection stands; the numbers are those of the browsers' `readyState`.
public enum DriverState: Int, Sendable {
    /// A client that has not been started.
    case idle = -1
    /// The handshake is under way: what is sent is queued.
    case connecting = 0
    /// Messages go both ways.
    case open
    /// Our Close frame is out, the peer's is awaited: nothing can be sent, messages are checked and dropped.
    case closing
    /// Over: nothing can be sent, input is discarded.
    case closed
}

/// What a message holds (RFC 6455 §5.6).
public enum MessageKind: Sendable {
    /// Valid UTF-8.
    case text
    /// Any bytes.
    case binary
}

/// The connection that a session speaks through. It tells its owner what comes of it (``ConnectionOwner``); reading is not
/// in it. Used on one event loop.
protocol ClientTransport: AnyObject {
    /// Sends a text, which is valid UTF-8.
    func send(_ text: [UInt8])
    /// Begins to close.
    func close()
    /// Stops reading, or goes on.
    func pause(_ isPaused: Bool)
}

/// The connection that a session speaks through. It tells its owner what comes of it (``ConnectionOwner``); reading is not
/// in it. Used on one event loop.
protocol ClientTransport: AnyObject {
    /// Sends a text, which is valid UTF-8.
    func send(_ text: [UInt8])
    /// Begins to close.
    func close()
    /// Gives a connection up that does not do what it should; it is told as closed for that reason.
    func giveUp(_ error: ClientError)
    /// Stops reading, or goes on.
    func pause(_ isPaused: Bool)
    /// Whether it does not read.
    var isPaused: Bool { get }
}

/// What a connection tells its owner, on the event loop.
protocol ConnectionOwner: AnyObject {
    /// A connection is made, over which the WebSocket's handshake begins; false if there is one already, or none is wanted.
    func connectionBegan(_ transport: any ClientTransport) -> Bool
    /// The WebSocket is open.
    func connectionOpened()
    /// A message; lent for the call.
    func connectionReceived(_ text: RawSpan)
    /// All that was read at once has been told.
    func connectionReadCompleted()
    /// It is over, told once.
    func connectionClosed(_ error: ClientError)
}

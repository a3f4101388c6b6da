/// What the owner sent before the connection was open.
struct QueuedFrame {
    let opcode: Opcode
    let payload: [UInt8]
    /// For a Ping: what its owner wants called.
    let onPong: (() -> Void)?
}

/// What a connection has only until it is open: a class, so that an open one carries a `nil` for all of it.
final class PendingHandshake {
    let options: DriverOptions
    var reader: HTTPHeadReader
    var headers = HandshakeHeaders()
    var extensions = ExtensionNegotiation()
    let deadline: UInt64
    /// Server: the request, once its head is complete. Client: always `nil`.
    var request: RequestHead?
    /// Server: what came behind the head before the owner called `start`.
    private(set) var earlyBytes: [UInt8] = []
    /// What the owner sent before the connection was open; encoded later, because how depends on the handshake.
    private(set) var queue: [QueuedFrame] = []

    private var queuedBytes = 0

    init(options: DriverOptions, now: UInt64) {
        reader = HTTPHeadReader(
            maximumBytes: options.maximumHeadBytes, maximumHeaderCount: options.maximumHeaderCount)
        deadline = options.handshakeTimeout.deadline(after: now)
        self.options = options
    }

    /// Keeps a frame for later; false if that were too much. A frame counts at least 16 bytes, also an empty one.
    func enqueue(_ opcode: Opcode, _ payload: UnsafeRawBufferPointer, onPong: (() -> Void)? = nil) -> Bool {
        let cost = payload.count + 16
        guard cost <= options.maximumQueuedBytes - queuedBytes else { return false }
        queuedBytes += cost
        queue.append(QueuedFrame(opcode: opcode, payload: Array(payload), onPong: onPong))
        return true
    }

    /// What was kept, which is then the caller's.
    func takeEarlyBytes() -> [UInt8] {
        defer { earlyBytes = [] }
        return earlyBytes
    }

    /// Keeps input for later; false if that were too much.
    func keep(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count <= options.maximumQueuedBytes - earlyBytes.count else { return false }
        append(bytes)
        return true
    }

    /// Keeps input that is the owner's, who takes it before it reads on.
    func append(_ bytes: UnsafeRawBufferPointer) {
        earlyBytes.append(contentsOf: bytes)
    }
}

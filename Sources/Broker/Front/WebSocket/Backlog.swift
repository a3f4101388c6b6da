import NIOCore

/// What was read from a WebSocket and waits for its turn.
struct Backlog {
    /// So much, and the next messages wait: a thousandth of it may have been sent.
    private static let inflatedBytesPerTurn = 1 << 20

    private var bytes = ByteBuffer()
    /// What came of the compressed messages of this turn.
    private var inflatedBytes = 0

    var isEmpty: Bool { bytes.readableBytes == 0 }
    var byteCount: Int { bytes.readableBytes }
    /// Whether so much has come of this turn's messages that others come first.
    var isTurnOver: Bool { inflatedBytes >= Self.inflatedBytesPerTurn }

    mutating func append(_ buffer: ByteBuffer) {
        bytes.writeImmutableBuffer(buffer)
    }

    /// Lends what waits to `take`, which tells how much of it is done with.
    mutating func read(_ take: (UnsafeRawBufferPointer) -> Int) {
        bytes.readWithUnsafeReadableBytes(take)
    }

    /// Notes what has come of a message in this turn.
    mutating func count(_ messageBytes: Int) {
        inflatedBytes += messageBytes
    }

    mutating func beginTurn() {
        inflatedBytes = 0
    }

    /// Drops what waits, and its memory.
    mutating func clear() {
        bytes = ByteBuffer()
    }
}

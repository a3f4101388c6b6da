/// The Pings of one connection whose owner wants to know when they are answered, the oldest first.
///
/// A Pong answers its Ping and those before it, for a peer may answer only the latest (RFC 6455 §5.5.3). One
/// that matches none changes nothing.
struct AwaitedPongs {
    private var pings: [(payload: [UInt8], onPong: () -> Void)] = []

    /// The most that are awaited at a time, lest a peer that answers none makes them grow.
    static let maximumCount = 128

    /// False if too many are awaited.
    mutating func add(_ payload: UnsafeRawBufferPointer, _ onPong: @escaping () -> Void) -> Bool {
        guard pings.count < Self.maximumCount else { return false }
        pings.append((Array(payload), onPong))
        return true
    }

    /// Calls what waits for this Pong, in the order of the Pings.
    mutating func receive(_ payload: UnsafeRawBufferPointer) {
        guard !pings.isEmpty, let last = pings.lastIndex(where: { $0.payload.elementsEqual(payload) }) else { return }
        let answered = pings[...last]
        pings.removeSubrange(...last)
        for ping in answered { ping.onPong() }
    }

    mutating func clear() {
        pings = []
    }
}

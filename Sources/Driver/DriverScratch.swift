/// Memory that all drivers of one thread use in turn, so that an idle connection keeps no buffer of its own
/// and a message allocates nothing once this is warm.
///
/// It holds the unmasked payload of a frame that came whole in one chunk, for as long as the sink looks at it,
/// and one spare output buffer. Not `Sendable`: one per event loop.
public final class DriverScratch {
    /// The most that is kept between messages; a longer payload is unmasked into memory of its own.
    static let retainedBytes = 65_536
    private static let initialBytes = 4096

    private var memory: UnsafeMutableRawBufferPointer
    private var spareOutput: [UInt8] = []

    /// Scratch of 4 KiB, which grows to at most 64 KiB.
    public init() {
        memory = .allocate(byteCount: Self.initialBytes, alignment: 64)
    }

    deinit {
        memory.deallocate()
    }

    /// Memory for `byteCount` ≤ `retainedBytes`; valid until the next call.
    func prepare(_ byteCount: Int) -> UnsafeMutableRawPointer {
        if byteCount > memory.count {
            memory.deallocate()
            memory = .allocate(byteCount: Self.retainedBytes, alignment: 64)
        }
        return memory.baseAddress.unsafelyUnwrapped  // never empty
    }

    /// An empty array, with capacity if one was given back.
    func takeSpareOutput() -> [UInt8] {
        var spare: [UInt8] = []
        swap(&spare, &spareOutput)
        return spare
    }

    /// Keeps the capacity of a drained output buffer for the next driver that has something to write.
    func giveBack(_ output: consuming [UInt8]) {
        guard spareOutput.capacity == 0, output.capacity <= Self.retainedBytes else { return }
        output.removeAll(keepingCapacity: true)
        spareOutput = output
    }
}

/// Memory that all drivers of one thread use in turn, so that an idle connection keeps no buffer of its own
/// and a message allocates nothing once this is warm.
///
/// It holds the unmasked payload of a frame that came whole in one chunk, for as long as the sink looks at it,
/// one spare output buffer, and of what payloads were assembled in a small and a large block, which the next one
/// begins with. Together at most about 1.2 MB. Not `Sendable`: one per event loop.
public final class DriverScratch {
    /// The most that is kept between messages; a longer payload is unmasked into memory of its own.
    static let retainedBytes = 65_536
    /// The largest block that is kept.
    static let retainedBlockBytes = 1_048_576
    private static let initialBytes = 4096

    private var memory: UnsafeMutableRawBufferPointer
    private var spareOutput: [UInt8] = []
    // Two, lest a small message whose rest is late keep the large one from others.
    private var spareSmall = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var spareLarge = UnsafeMutableRawBufferPointer(start: nil, count: 0)

    /// Scratch of 4 KiB, which grows to at most 64 KiB.
    public init() {
        memory = .allocate(byteCount: Self.initialBytes, alignment: 64)
    }

    deinit {
        memory.deallocate()
        spareSmall.deallocate()
        spareLarge.deallocate()
    }

    /// Memory for `byteCount` ≤ `retainedBytes`; valid until the next call.
    func prepare(_ byteCount: Int) -> UnsafeMutableRawPointer {
        if byteCount > memory.count {
            memory.deallocate()
            memory = .allocate(byteCount: Self.retainedBytes, alignment: 64)
        }
        return memory.baseAddress.unsafelyUnwrapped  // never empty
    }

    /// A block for a payload of presumably `byteCount`, which is then the caller's; empty if there is none.
    func takeBlock(for byteCount: Int) -> UnsafeMutableRawBufferPointer {
        var block = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        if byteCount <= Self.retainedBytes { swap(&block, &spareSmall) } else { swap(&block, &spareLarge) }
        return block
    }

    /// Keeps a block for the next payload, or frees it: of each kind the larger one is kept.
    func giveBack(_ block: UnsafeMutableRawBufferPointer) {
        var block = block
        switch block.count {
        case ...Self.retainedBytes: if block.count > spareSmall.count { swap(&block, &spareSmall) }
        case ...Self.retainedBlockBytes: if block.count > spareLarge.count { swap(&block, &spareLarge) }
        default: break
        }
        block.deallocate()
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

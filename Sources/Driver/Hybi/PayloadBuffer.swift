/// Memory of a connection for a payload that does not come in one piece; none while it is empty.
///
/// It grows with the bytes that really arrived: a length that a frame's header only announces makes it at most four
/// times as large as them. What it needed it gives back to the scratch, and the next one begins with that.
struct PayloadBuffer: ~Copyable {
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private(set) var count = 0

    /// How many bytes there is room for.
    var reservedByteCount: Int { memory.count }

    deinit {
        memory.deallocate()
    }

    /// The bytes from `offset` on; valid until the next change.
    func bytes(from offset: Int = 0) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: memory[offset..<count])
    }

    /// Makes room for `byteCount` more bytes, which the caller writes to the address returned at once.
    ///
    /// `following` is how many are still to come, if that is known. Memory comes from the scratch, if there is one.
    mutating func extend(
        by byteCount: Int, following: Int? = nil, _ scratch: DriverScratch? = nil
    ) -> UnsafeMutableRawPointer {
        let needed = count + byteCount
        if memory.isEmpty, let scratch { memory = scratch.takeBlock(for: needed + (following ?? 0)) }
        if needed > memory.count { grow(to: following.map { min(needed + $0, needed * 4) } ?? needed * 2, scratch) }
        defer { count = needed }
        // Never empty here, unless nothing is to be written.
        return memory.baseAddress.map { $0 + count } ?? UnsafeMutableRawPointer(bitPattern: 16).unsafelyUnwrapped
    }

    /// Forgets the bytes and gives the memory back.
    mutating func clear(_ scratch: DriverScratch? = nil) {
        guard !memory.isEmpty else { return }
        Self.release(memory, scratch)
        memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        count = 0
    }

    private mutating func grow(to capacity: Int, _ scratch: DriverScratch?) {
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: bytes())
        Self.release(memory, scratch)
        memory = larger
    }

    private static func release(_ memory: UnsafeMutableRawBufferPointer, _ scratch: DriverScratch?) {
        if let scratch { scratch.giveBack(memory) } else { memory.deallocate() }
    }
}

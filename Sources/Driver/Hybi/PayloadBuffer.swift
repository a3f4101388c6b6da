/// Memory of a connection for a payload that does not come in one piece; none while it is empty.
///
/// It grows with the bytes that really arrived, never to a length that a frame's header only announces.
struct PayloadBuffer: ~Copyable {
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private(set) var count = 0

    deinit {
        memory.deallocate()
    }

    /// The bytes from `offset` on; valid until the next change.
    func bytes(from offset: Int = 0) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: memory[offset..<count])
    }

    /// Makes room for `byteCount` more bytes, which the caller writes to the address returned at once.
    mutating func extend(by byteCount: Int) -> UnsafeMutableRawPointer {
        let needed = count + byteCount
        if needed > memory.count {
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: max(needed, memory.count * 2), alignment: 16)
            larger.copyMemory(from: bytes())
            memory.deallocate()
            memory = larger
        }
        defer { count = needed }
        // Never empty here, unless nothing is to be written.
        return memory.baseAddress.map { $0 + count } ?? UnsafeMutableRawPointer(bitPattern: 16).unsafelyUnwrapped
    }

    /// Forgets the bytes and releases the memory.
    mutating func clear() {
        memory.deallocate()
        memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        count = 0
    }
}

/// The four bytes that a client XORs over a payload (RFC 6455 §5.3).
struct MaskingKey: Equatable {
    /// The first byte on the wire is the lowest one, whatever the machine's byte order.
    private let littleEndian: UInt32

    /// The key of four bytes in memory order.
    init(reading bytes: UnsafeRawPointer) {
        littleEndian = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
    }

    init(littleEndian: UInt32) {
        self.littleEndian = littleEndian
    }

    /// The key for the rest of a payload of which `offset` bytes have been masked.
    func advanced(by offset: Int) -> Self {
        let shift = UInt32(truncatingIfNeeded: offset & 3) &* 8
        return Self(littleEndian: littleEndian &>> shift | littleEndian &<< ((32 &- shift) & 31))
    }

    func write(to destination: UnsafeMutableRawPointer) {
        destination.storeBytes(of: littleEndian.littleEndian, as: UInt32.self)
    }

    /// Copies `count` bytes from `source` to `destination` (which may be the same) and XORs them with the key.
    ///
    /// Returns whether all results are ASCII, which costs nothing here and saves text its UTF-8 check.
    /// Pointers, because a bounds check per word would double the cost of the one loop that sees every byte.
    @discardableResult
    func apply(
        from source: UnsafeRawPointer, to destination: UnsafeMutableRawPointer, count: Int
    ) -> Bool {
        typealias Block = SIMD4<UInt64>
        let word = UInt64(littleEndian) &* 0x0000_0001_0000_0001
        let native = word.littleEndian
        let pattern = Block(repeating: native)
        var seen = Block(repeating: 0)
        var offset = 0
        while offset &+ 32 <= count {
            let block = source.loadUnaligned(fromByteOffset: offset, as: Block.self) ^ pattern
            destination.storeBytes(of: block, toByteOffset: offset, as: Block.self)
            seen |= block
            offset &+= 32
        }
        var bits = seen[0] | seen[1] | seen[2] | seen[3]
        while offset &+ 8 <= count {
            let value = source.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ native
            destination.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
            bits |= value
            offset &+= 8
        }
        var rest = word
        while offset < count {
            let value = source.load(fromByteOffset: offset, as: UInt8.self) ^ UInt8(truncatingIfNeeded: rest)
            destination.storeBytes(of: value, toByteOffset: offset, as: UInt8.self)
            bits |= UInt64(value)
            rest &>>= 8
            offset &+= 1
        }
        return bits & 0x8080_8080_8080_8080 == 0
    }
}

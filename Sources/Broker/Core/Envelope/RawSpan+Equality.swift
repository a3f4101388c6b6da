extension RawSpan {
    /// Whether both hold the same bytes; eight at a time.
    func holdsSame(as other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        return withUnsafeBytes { left in
            other.withUnsafeBytes { right in
                var offset = 0
                while offset + 8 <= left.count {
                    let (one, two) = (
                        left.loadUnaligned(fromByteOffset: offset, as: UInt64.self),
                        right.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                    )
                    if one != two { return false }
                    offset += 8
                }
                while offset < left.count {
                    if left[offset] != right[offset] { return false }
                    offset += 1
                }
                return true
            }
        }
    }

    /// The same for what is secret: how long it takes says nothing of the bytes, only of their number.
    func holdsSameSecret(as other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        return withUnsafeBytes { left in
            other.withUnsafeBytes { right in
                var difference: UInt8 = 0
                for offset in left.indices { difference |= left[offset] ^ right[offset] }
                return difference == 0
            }
        }
    }
}

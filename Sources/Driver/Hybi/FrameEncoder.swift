/// Writes frames. What a server sends is the same for all its clients, so a broker encodes a publication once
/// and shares the bytes.
///
/// Every function refuses an illegal control frame (more than 125 bytes) by writing nothing.
public enum FrameEncoder {
    /// The longest header of a server's frame, in bytes.
    public static let maximumServerHeaderBytes = 10

    /// The size of a server's frame with a payload of this size, header included.
    public static func serverFrameBytes(payloadBytes: Int) -> Int {
        headerBytes(payloadBytes: payloadBytes) + payloadBytes
    }

    /// Writes the header of an unfragmented, unmasked frame.
    ///
    /// `buffer` has room for it (`maximumServerHeaderBytes` always do). Returns the number of bytes written,
    /// 0 for an illegal control frame.
    public static func encodeServerHeader(
        _ opcode: Opcode, payloadBytes: Int, into buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        guard !opcode.isControl || payloadBytes <= 125 else { return 0 }
        let headerBytes = headerBytes(payloadBytes: payloadBytes)
        precondition(buffer.count >= headerBytes, "Cannot encode a frame when the buffer is too small")
        writeHeader(opcode, payloadBytes: payloadBytes, maskBit: 0, to: buffer.baseAddress.unsafelyUnwrapped)
        return headerBytes
    }

    /// Writes an unfragmented, unmasked frame.
    ///
    /// `buffer` has room for `serverFrameBytes(payloadBytes:)`. Returns the number of bytes written,
    /// 0 for an illegal control frame. A text payload is UTF-8: this is not checked again.
    public static func encodeServerFrame(
        _ opcode: Opcode, _ payload: RawSpan, into buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        let payloadBytes = payload.byteCount
        let headerBytes = encodeServerHeader(opcode, payloadBytes: payloadBytes, into: buffer)
        guard headerBytes > 0 else { return 0 }
        precondition(buffer.count >= headerBytes + payloadBytes, "Cannot encode a frame when the buffer is too small")
        payload.withUnsafeBytes { source in
            UnsafeMutableRawBufferPointer(rebasing: buffer[headerBytes...]).copyMemory(from: source)
        }
        return headerBytes + payloadBytes
    }

    /// Appends the header of an unfragmented, unmasked frame; false for an illegal control frame.
    @discardableResult
    public static func appendServerHeader(_ opcode: Opcode, payloadBytes: Int, to bytes: inout [UInt8]) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: maximumServerHeaderBytes, alignment: 8) { buffer in
            let headerBytes = encodeServerHeader(opcode, payloadBytes: payloadBytes, into: buffer)
            bytes.append(contentsOf: buffer[..<headerBytes])
            return headerBytes > 0
        }
    }

    /// Appends an unfragmented, unmasked frame; false for an illegal control frame.
    @discardableResult
    public static func appendServerFrame(_ opcode: Opcode, _ payload: RawSpan, to bytes: inout [UInt8]) -> Bool {
        guard !opcode.isControl || payload.byteCount <= 125 else { return false }
        payload.withUnsafeBytes { append(opcode, $0, key: nil, to: &bytes) }
        return true
    }

    /// Appends an unfragmented frame, masked if there is a key.
    static func append(
        _ opcode: Opcode, _ payload: UnsafeRawBufferPointer, key: MaskingKey?, reservedBits: ReservedBits = [],
        to bytes: inout [UInt8]
    ) {
        let lengthBytes = headerBytes(payloadBytes: payload.count)
        let headerBytes = lengthBytes + (key == nil ? 0 : 4)
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 16) { header in
            let base = header.baseAddress.unsafelyUnwrapped  // 16 bytes
            writeHeader(opcode, payloadBytes: payload.count, maskBit: key == nil ? 0 : 0x80, to: base)
            if !reservedBits.isEmpty {
                base.storeBytes(of: 0x80 | reservedBits.rawValue | opcode.rawValue, as: UInt8.self)
            }
            key?.write(to: base + lengthBytes)
            bytes.append(contentsOf: UnsafeRawBufferPointer(start: base, count: headerBytes))
        }
        let start = bytes.count
        bytes.append(contentsOf: payload)
        if let key {
            bytes.withUnsafeMutableBytes { all in
                let copy = UnsafeMutableRawBufferPointer(rebasing: all[start...])
                guard let base = copy.baseAddress else { return }
                key.apply(from: base, to: base, count: copy.count)
            }
        }
    }

    private static func headerBytes(payloadBytes: Int) -> Int {
        payloadBytes <= 125 ? 2 : payloadBytes <= 65535 ? 4 : 10
    }

    private static func writeHeader(
        _ opcode: Opcode, payloadBytes: Int, maskBit: UInt8, to base: UnsafeMutableRawPointer
    ) {
        base.storeBytes(of: 0x80 | opcode.rawValue, as: UInt8.self)
        switch payloadBytes {
        case ...125:
            base.storeBytes(of: maskBit | UInt8(truncatingIfNeeded: payloadBytes), toByteOffset: 1, as: UInt8.self)
        case ...65535:
            base.storeBytes(of: maskBit | 126, toByteOffset: 1, as: UInt8.self)
            base.storeBytes(of: UInt16(truncatingIfNeeded: payloadBytes).bigEndian, toByteOffset: 2, as: UInt16.self)
        default:
            base.storeBytes(of: maskBit | 127, toByteOffset: 1, as: UInt8.self)
            base.storeBytes(of: UInt64(payloadBytes).bigEndian, toByteOffset: 2, as: UInt64.self)
        }
    }
}

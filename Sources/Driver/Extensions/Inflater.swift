import CZlib

/// Decompresses messages in the form of RFC 7692 §7.2.2, and stops as soon as one is longer than it may be.
final class Inflater {
    // zlib keeps the address.
    private let stream: UnsafeMutablePointer<z_stream>

    private static let chunkBytes = 16_384
    /// The end of a flushed block, which senders leave out.
    private static let tail: [UInt8] = [0x00, 0x00, 0xFF, 0xFF]

    /// `nil` if there is no memory. A window larger than the sender's does no harm.
    init?(windowBits: Int) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let bits = max(windowBits, DeflateParameters.smallestWindowBits)
        guard inflateInit2_(stream, -Int32(bits), ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// The payload decompressed, with the context of what was decompressed before.
    ///
    /// Fails with 1009 at the first byte beyond `maximumBytes`, and with 1007 if the payload is no deflate or stops
    /// in the middle. After a failure the context is of no use.
    func inflate(_ payload: RawSpan, maximumBytes: Int) throws(ExtensionFailure) -> [UInt8] {
        // No sender should leave out even the one octet of an empty message, but some do.
        guard !payload.isEmpty else { return [] }
        var output: [UInt8] = []
        let failure = payload.withUnsafeBytes { input -> ExtensionFailure? in
            var failure: ExtensionFailure?
            ZlibInput.forEachPiece(input) { piece, _ in
                failure = failure ?? feed(piece, maximumBytes, &output)
            }
            return failure
        }
        if let failure { throw failure }
        // Behind a final block that filled the payload, the tail would be the start of another one.
        if !endedStream {
            var tail = Self.tail
            let failure = tail.withUnsafeMutableBufferPointer { feed($0, maximumBytes, &output) }
            if let failure { throw failure }
        }
        // 128 means between two blocks, and the low bits count what is left of a byte.
        let position = stream.pointee.data_type
        guard endedStream || (position & 128 != 0 && position & 0x3F == 0) else { throw .corrupt("unexpected end") }
        if endedStream { startOver() }
        return output
    }

    /// Forgets the context, and keeps the memory.
    func reset() {
        inflateReset(stream)
        endedStream = false
    }

    /// Whether the last byte read ended a block that was marked as the final one.
    private var endedStream = false

    /// A sender may mark a block as the final one (RFC 7692 §7.2.3.4): what follows is another stream that still
    /// refers to the same window.
    private func startOver() {
        inflateResetKeep(stream)
        endedStream = false
    }

    private func feed(
        _ input: UnsafeMutableBufferPointer<UInt8>, _ maximumBytes: Int, _ output: inout [UInt8]
    ) -> ExtensionFailure? {
        stream.pointee.next_in = input.baseAddress
        stream.pointee.avail_in = UInt32(input.count)
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.chunkBytes) { chunk in
            while true {
                if endedStream {
                    guard stream.pointee.avail_in > 0 else { return nil }
                    startOver()
                }
                // One byte more than allowed shows that there is too much.
                let room = min(chunk.count - 1, maximumBytes - output.count) + 1
                stream.pointee.next_out = chunk.baseAddress
                stream.pointee.avail_out = UInt32(room)
                let status = CZlib.inflate(stream, Z_SYNC_FLUSH)
                output.append(contentsOf: chunk[..<(room - Int(stream.pointee.avail_out))])
                if output.count > maximumBytes { return .tooLong }
                switch status {
                case Z_STREAM_END:
                    endedStream = true
                case Z_OK:
                    if stream.pointee.avail_out > 0, stream.pointee.avail_in == 0 { return nil }
                case Z_BUF_ERROR:
                    return nil
                case Z_MEM_ERROR:
                    return .outOfMemory
                default:
                    return .corrupt(stream.pointee.msg.map { String(cString: $0) } ?? "invalid data")
                }
            }
        }
    }
}

extension ExtensionFailure {
    static func corrupt(_ detail: String) -> Self {
        Self(closeCode: .invalidPayload, message: "Could not inflate a message: \(detail)")
    }
}

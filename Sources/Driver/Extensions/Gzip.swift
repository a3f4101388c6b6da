import CZlib

/// The content coding gzip (RFC 9110 §8.4.1.3), for what is compressed once and sent often.
package enum Gzip {
    /// The bytes as a gzip file; nil when that is not smaller, or when there is no memory.
    package static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        // zlib keeps the address.
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer { stream.deallocate() }
        // With 16 more for the window zlib writes gzip's header and checksum.
        let status = deflateInit2_(
            stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard status == Z_OK else { return nil }
        defer { deflateEnd(stream) }
        var isWhole = false
        let output = [UInt8](unsafeUninitializedCapacity: bytes.count) { output, count in
            bytes.withUnsafeBufferPointer { input in
                // zlib only reads its input, though its header does not say `const`.
                stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                stream.pointee.avail_in = UInt32(bytes.count)
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(bytes.count)
                isWhole = deflate(stream, Z_FINISH) == Z_STREAM_END
                count = bytes.count - Int(stream.pointee.avail_out)
            }
        }
        return isWhole ? output : nil
    }
}

import CZlib

/// How messages are deflated; equal settings make equal bytes of a message without context.
public struct DeflateSettings: Hashable, Sendable {
    let level: Int
    let windowBits: Int
    let memoryLevel: Int
    let strategy: Int
    /// A message with a shorter payload is not deflated.
    let minimumBytes: Int
}

/// Compresses messages with zlib, in the form of RFC 7692 §7.2.1: raw deflate, without the final 00 00 FF FF.
final class Deflater {
    // zlib keeps the address.
    private let stream: UnsafeMutablePointer<z_stream>

    /// `nil` if there is no memory.
    init?(_ settings: DeflateSettings) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let status = deflateInit2_(
            stream, Int32(settings.level), Z_DEFLATED, -Int32(settings.windowBits), Int32(settings.memoryLevel),
            Int32(settings.strategy), ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard status == Z_OK else {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    /// The payload compressed, with the context of what was compressed before.
    func deflate(_ payload: RawSpan) -> [UInt8] {
        // RFC 7692 §7.2.3.6 has this octet for an empty message; zlib writes nothing for a second flush in a row.
        guard !payload.isEmpty else { return [0] }
        var output: [UInt8] = []
        output.reserveCapacity(min(payload.byteCount / 2 + 16, 65_536))
        payload.withUnsafeBytes { input in
            ZlibInput.forEachPiece(input) { piece, isLast in
                stream.pointee.next_in = piece.baseAddress
                stream.pointee.avail_in = UInt32(piece.count)
                ZlibOutput.collect(stream, into: &output) { CZlib.deflate(stream, isLast ? Z_SYNC_FLUSH : Z_NO_FLUSH) }
            }
        }
        output.removeLast(4)
        return output
    }

    /// Forgets the context, and keeps the memory.
    func reset() {
        deflateReset(stream)
    }
}

/// zlib counts in 32 bits.
enum ZlibInput {
    private static let maximumBytes = 1 << 30

    static func forEachPiece(
        _ input: UnsafeRawBufferPointer, _ body: (UnsafeMutableBufferPointer<UInt8>, _ isLast: Bool) -> Void
    ) {
        // zlib only reads its input, though its header does not say `const`.
        let bytes = UnsafeMutableRawBufferPointer(mutating: input).bindMemory(to: UInt8.self)
        var rest = bytes[...]
        repeat {
            let piece = rest.prefix(maximumBytes)
            rest = rest.dropFirst(piece.count)
            body(UnsafeMutableBufferPointer(rebasing: piece), rest.isEmpty)
        } while !rest.isEmpty
    }
}

enum ZlibOutput {
    private static let chunkBytes = 16_384

    /// Runs `step` until it leaves room, and appends what it wrote.
    static func collect(_ stream: UnsafeMutablePointer<z_stream>, into output: inout [UInt8], _ step: () -> Int32) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: chunkBytes) { chunk in
            repeat {
                stream.pointee.next_out = chunk.baseAddress
                stream.pointee.avail_out = UInt32(chunk.count)
                // Z_BUF_ERROR says that nothing was left to do; other errors need a misuse.
                _ = step()
                output.append(contentsOf: chunk[..<(chunk.count - Int(stream.pointee.avail_out))])
            } while stream.pointee.avail_out == 0
        }
    }
}

/// Finds frame headers in a stream that comes in chunks, keeping at most 13 bytes of an incomplete one.
struct FrameDecoder {
    private var stash: (UInt64, UInt64) = (0, 0)
    private var stashCount: UInt8 = 0

    /// Whether nothing of a header is stashed.
    var isBetweenFrames: Bool { stashCount == 0 }

    /// The header at `offset`, which moves behind it; `nil` if `input` ends before the header does.
    mutating func next(
        _ input: UnsafeRawBufferPointer, _ offset: inout Int, _ rules: FrameHeader.Rules
    ) throws(ProtocolViolation) -> FrameHeader? {
        if stashCount == 0 {
            let rest = UnsafeRawBufferPointer(rebasing: input[offset...])
            if case .complete(let header, let headerBytes) = try FrameHeader.parse(rest, rules) {
                offset += headerBytes
                return header
            }
        }
        while offset < input.count {
            let byte = input[offset]
            offset += 1
            if let header = try accept(byte, rules) { return header }
        }
        return nil
    }

    /// The slow way, for a header that is cut: one byte more, and look again.
    private mutating func accept(_ byte: UInt8, _ rules: FrameHeader.Rules) throws(ProtocolViolation) -> FrameHeader? {
        let count = Int(stashCount) + 1
        let parse = withUnsafeMutableBytes(of: &stash) { stash -> Result<FrameHeader.Parse, ProtocolViolation> in
            stash[count - 1] = byte
            return Result { () throws(ProtocolViolation) in
                try FrameHeader.parse(UnsafeRawBufferPointer(rebasing: stash[..<count]), rules)
            }
        }
        switch try parse.get() {
        case .incomplete:
            stashCount = UInt8(count)
            return nil
        case .complete(let header, _):
            stashCount = 0
            return header
        }
    }
}

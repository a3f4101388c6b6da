/// Collects the head of an HTTP message from a stream, up to and including its empty line.
///
/// Rules: lines end with CR LF; in between are printable ASCII and tabs only, so that nothing can hide in a
/// head and a peer that speaks another protocol is noticed at its first bytes. Empty lines before the first
/// line are skipped (RFC 9112 §2.2). Each byte is judged when it comes, however the stream was cut.
struct HTTPHeadReader {
    private(set) var bytes: [UInt8] = []
    private let maximumBytes: Int
    private let maximumHeaderCount: Int
    private var seenBytes = 0
    private var lineCount = 0
    private var lineBytes = 0
    private var afterCarriageReturn = false

    init(maximumBytes: Int, maximumHeaderCount: Int) {
        self.maximumBytes = maximumBytes
        self.maximumHeaderCount = maximumHeaderCount
    }

    /// Reads from `offset` on, which moves; true when the head is complete.
    mutating func read(
        _ input: UnsafeRawBufferPointer, _ offset: inout Int
    ) throws(ProtocolViolation) -> Bool {
        while offset < input.count {
            let byte = input[offset]
            offset += 1
            if try accept(byte) { return true }
        }
        return false
    }

    /// The head as it came (but for empty lines before it), for another HTTP stack.
    var original: [UInt8] {
        var original: [UInt8] = []
        for byte in bytes {
            if byte == 0x0A { original.append(0x0D) }
            original.append(byte)
        }
        return original + [0x0D, 0x0A]
    }

    private mutating func accept(_ byte: UInt8) throws(ProtocolViolation) -> Bool {
        seenBytes += 1
        guard seenBytes <= maximumBytes else { throw .headTooLong }
        switch (byte, afterCarriageReturn) {
        case (0x0A, true):
            afterCarriageReturn = false
            return try endLine()
        case (0x0D, false):
            afterCarriageReturn = true
        case (0x09, false), (0x20...0x7E, false):
            lineBytes += 1
            bytes.append(byte)
        default:
            throw .invalidRequest
        }
        return false
    }

    private mutating func endLine() throws(ProtocolViolation) -> Bool {
        if lineBytes == 0 { return lineCount > 0 }
        lineCount += 1
        lineBytes = 0
        guard lineCount <= maximumHeaderCount + 1 else { throw .tooManyHeaders }
        bytes.append(0x0A)
        return false
    }
}

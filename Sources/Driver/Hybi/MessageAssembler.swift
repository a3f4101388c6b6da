/// The message that is under way: the payload that could not be delivered straight from the input.
///
/// Text is checked as it arrives, so that nothing invalid is waited upon or kept.
struct MessageAssembler: ~Copyable {
    private var buffer = PayloadBuffer()
    /// How many bytes the open message has so far.
    private(set) var byteCount = 0
    /// The kind of the open message, `nil` between messages.
    private(set) var kind: MessageKind?
    /// The reserved bits of its first frame.
    private(set) var reservedBits: ReservedBits = []
    /// Whether extensions are to process it, so that a text is not UTF-8 yet.
    private var isEncoded = false
    private var validator = UTF8Validator()

    /// What was assembled; valid until `release` or the next message.
    var payload: UnsafeRawBufferPointer { buffer.bytes() }

    /// How many bytes there is room for.
    var reservedByteCount: Int { buffer.reservedByteCount }

    mutating func begin(_ kind: MessageKind, reservedBits: ReservedBits, isEncoded: Bool) {
        self.kind = kind
        self.reservedBits = reservedBits
        self.isEncoded = isEncoded
        validator = UTF8Validator()
    }

    /// Adds the next bytes, unmasking them; false if they make a text invalid.
    ///
    /// `following` bytes are still to come, if that is known. With `keep` false they are checked and forgotten.
    mutating func append(
        _ piece: UnsafeRawBufferPointer, key: MaskingKey?, following: Int?, keep: Bool, _ scratch: DriverScratch
    ) -> Bool {
        guard let source = piece.baseAddress, piece.count > 0 else { return true }
        let start = buffer.count
        let destination = buffer.extend(by: piece.count, following: following, scratch)
        // An XOR with zero is a copy that looks for ASCII.
        let isASCII = (key ?? MaskingKey(littleEndian: 0)).apply(from: source, to: destination, count: piece.count)
        byteCount += piece.count
        defer { if !keep { buffer.clear(scratch) } }
        if kind == .binary || isEncoded || (isASCII && validator.isComplete) { return true }
        return validator.accept(buffer.bytes(from: start))
    }

    /// Ends the message; false if a text ends within a character.
    mutating func finish() -> Bool {
        kind = nil
        byteCount = 0
        return validator.isComplete
    }

    /// Forgets the payload and gives its memory back.
    mutating func release(_ scratch: DriverScratch) {
        buffer.clear(scratch)
    }
}

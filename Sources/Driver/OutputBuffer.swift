/// The bytes that a driver wants written, oldest first; without memory of its own while there are none.
struct OutputBuffer {
    private var bytes: [UInt8] = []
    private let scratch: DriverScratch

    init(scratch: DriverScratch) {
        self.scratch = scratch
    }

    var isEmpty: Bool { bytes.isEmpty }

    mutating func append(_ text: String) {
        prepare()
        bytes.append(contentsOf: text.utf8)
    }

    /// Appends bytes as they are.
    mutating func append(_ raw: some Collection<UInt8>) {
        prepare()
        bytes.append(contentsOf: raw)
    }

    /// Appends one frame, masked if there is a key. The caller has checked that a control frame is not too long.
    mutating func append(
        _ opcode: Opcode, _ payload: UnsafeRawBufferPointer, key: MaskingKey?, reservedBits: ReservedBits = []
    ) {
        prepare()
        FrameEncoder.append(opcode, payload, key: key, reservedBits: reservedBits, to: &bytes)
    }

    mutating func take() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &bytes)
        return taken
    }

    /// Lends the bytes; they are gone afterwards unless `body` throws.
    mutating func drain<R>(_ body: (RawSpan) throws -> R) rethrows -> R {
        let result = try body(bytes.span.bytes)
        if !bytes.isEmpty { scratch.giveBack(take()) }
        return result
    }

    private mutating func prepare() {
        if bytes.capacity == 0 { bytes = scratch.takeSpareOutput() }
    }
}

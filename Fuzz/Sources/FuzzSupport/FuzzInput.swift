import CLibFuzzer

/// An input of libFuzzer, taken apart from its front: first the choices of a target, then what is under test.
///
/// Choices stand at fixed places and are zero where the input is too short, so that small changes of an input stay
/// small changes of what is tested.
package struct FuzzInput {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    package init(_ start: UnsafePointer<UInt8>?, _ count: Int) {
        bytes = UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count)
    }

    package var isEmpty: Bool { offset == bytes.count }

    package mutating func byte() -> UInt8 {
        guard offset < bytes.count else { return 0 }
        defer { offset += 1 }
        return bytes[offset]
    }

    /// Eight choices.
    package mutating func flags() -> Flags { Flags(rawValue: byte()) }

    /// One of `choices`.
    package mutating func choice<Choice>(_ choices: [Choice]) -> Choice { choices[Int(byte()) % choices.count] }

    /// The next `count` bytes, or as many as there are.
    package mutating func take(_ count: Int) -> [UInt8] {
        let end = min(offset + count, bytes.count)
        defer { offset = end }
        return Array(bytes[offset..<end])
    }

    /// All that was not taken yet.
    package mutating func rest() -> [UInt8] { take(bytes.count) }
}

/// The bits of a byte.
package struct Flags {
    package let rawValue: UInt8

    package subscript(bit: Int) -> Bool { rawValue >> bit & 1 == 1 }
}

/// Runs libFuzzer with the arguments of the process; it never comes back.
package func runFuzzer(_ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt) {
    var count = CommandLine.argc
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
    _ = LLVMFuzzerRunDriver(&count, &arguments, test)
}

/// Calls `body` with a copy in memory of exactly that size, so that the sanitizer sees a read beyond it.
package func withExactCopy<R>(_ bytes: some Collection<UInt8>, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { copy.deallocate() }
    copy.copyBytes(from: bytes)
    return body(UnsafeRawBufferPointer(copy))
}

/// Stops the process unless `condition` holds, and says so in optimised code as well.
package func require(
    _ condition: Bool, _ message: @autoclosure () -> String = "", file: StaticString = #fileID, line: UInt = #line
) {
    if !condition { fatalError(message(), file: file, line: line) }
}

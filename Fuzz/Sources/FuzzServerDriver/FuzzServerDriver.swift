import CLibFuzzer
import Driver

@main
enum FuzzServerDriver {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments) { fuzzServerDriver($0, $1) }
    }
}

/// Bytes from a client are events or a violation, nothing else; and one chunk means the same as byte by byte.
///
/// The first byte of the input says where it begins: at the head of the handshake, or behind a good one.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzServerDriver(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count)
    guard let first = input.first else { return 0 }
    let bytes = Array(input.dropFirst())
    let isOpen = first & 1 == 1
    let whole = run([bytes], isOpen: isOpen)
    let single = run(bytes.map { [$0] }, isOpen: isOpen)
    precondition(whole.events == single.events, "one chunk equals byte by byte: events")
    precondition(whole.output == single.output, "one chunk equals byte by byte: output")
    return 0
}

private func run(_ chunks: [[UInt8]], isOpen: Bool) -> (events: [String], output: [UInt8]) {
    var options = DriverOptions()
    options.maximumMessageBytes = 4096
    options.maximumHeadBytes = 1024
    var driver = ServerDriver(options: options)
    var sink = Recorder()
    var output: [UInt8] = []
    if isOpen { step(Array(handshake.utf8), &driver, &sink, &output) }
    for chunk in chunks { step(chunk, &driver, &sink, &output) }
    driver.receiveEnd(into: &sink)
    output += driver.takeOutput()
    return (sink.events, output)
}

private func step(
    _ chunk: [UInt8], _ driver: inout ServerDriver, _ sink: inout Recorder, _ output: inout [UInt8]
) {
    // Memory of exactly that size, so that the sanitizer sees a read beyond it.
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: chunk.count, alignment: 1)
    defer { bytes.deallocate() }
    bytes.copyBytes(from: chunk)
    driver.receive(UnsafeRawBufferPointer(bytes).bytes, into: &sink)
    if sink.hasRequest {
        sink.hasRequest = false
        _ = driver.start(into: &sink)
    }
    output += driver.takeOutput()
}

private let handshake = """
    GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n
    """

private struct Recorder: DriverSink {
    var events: [String] = []
    var hasRequest = false

    mutating func connect(_ request: borrowing RequestHead) {
        hasRequest = true
        events.append("connect")
    }
    mutating func request(_ head: borrowing RequestHead) { events.append("request") }
    mutating func open() { events.append("open") }
    mutating func message(_ payload: RawSpan, kind: MessageKind) {
        events.append("message \(kind) \(payload.withUnsafeBytes { Array($0) })")
    }
    mutating func ping(_ payload: RawSpan) { events.append("ping \(payload.withUnsafeBytes { Array($0) })") }
    mutating func pong(_ payload: RawSpan) { events.append("pong \(payload.withUnsafeBytes { Array($0) })") }
    mutating func failed(_ violation: ProtocolViolation) { events.append("failed \(violation.message)") }
    mutating func closed(_ code: CloseCode, reason: String) { events.append("closed \(code.rawValue) \(reason)") }
}

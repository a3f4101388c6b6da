import Driver
import FuzzSupport

@main
enum FuzzDriver {
    static func main() { runFuzzer { fuzzDriver($0, $1) } }
}

/// Both drivers with any calls of their owner, in any order: none of them traps, and input may still be cut anywhere.
///
/// Choices: flags (client, deflate, few versions). Then calls: a byte for which one, with bytes for its arguments.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDriver(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let flags = input.flags()
    var options = DriverOptions(maximumMessageBytes: 4096, maximumHeadBytes: 2048)
    options.versions = flags[2] ? .modern : .all
    let extensions: [any WebSocketExtension] = flags[1] ? [smallDeflate] : []
    compareSplits { split in
        guard flags[0] else {
            return Script(ServerDriver(options: options), input, split, openings: requests).run(extensions)
        }
        let driver = ClientDriver(url: url, options: options, generator: SplitMix(seed: 1))
        return Script(driver, input, split, openings: flags[1] ? deflatingResponses : responses).run(extensions)
    }
    return 0
}

/// One driver with the calls that an input stands for.
private struct Script<D: PlannedDriver & ~Copyable>: ~Copyable {
    var driver: D
    var input: FuzzInput
    let split: Split
    /// Good handshakes of the peer.
    let openings: [[UInt8]]
    var recorder = Recorder(maximumMessageBytes: 3 * 4096)
    var output: [UInt8] = []
    var details: [String] = []
    var now: UInt64 = 0

    init(_ driver: consuming D, _ input: FuzzInput, _ split: Split, openings: [[UInt8]]) {
        self.driver = driver
        self.input = input
        self.split = split
        self.openings = openings
    }

    consuming func run(_ extensions: [any WebSocketExtension]) -> Outcome {
        for added in extensions { try? driver.addExtension(added) }
        while !input.isEmpty {
            call(input.byte())
            output += driver.takeOutput()
        }
        driver.receiveEnd(into: &recorder)
        require(driver.state == .closed, "the end of the stream closes")
        return Outcome(recorder.log, output: output, state: driver.state, details: details)
    }

    private mutating func call(_ number: UInt8) {
        switch number & 0x0F {
        case 0: receive(input.take(Int(input.byte())))
        case 1: receive(input.take(3))
        case 2: receive(input.choice(openings))
        case 3: driver.answer(into: &recorder)
        case 4: driver.refuse(status: Int(input.byte()) * 4, into: &recorder)
        case 5: note(driver.text(input.take(Int(number >> 4)).span.bytes))
        case 6: note(driver.binary([UInt8](repeating: number, count: 1 << (number >> 4)).span.bytes))
        case 7: note(driver.pong(input.take(Int(number >> 4)).span.bytes))
        case 8:
            let log = recorder.log
            note(driver.ping(input.take(Int(number >> 4)).span.bytes) { log.append("answered") })
        case 9: close(number >> 4)
        case 10: advance(UInt64(number >> 4))
        case 11: driver.receiveEnd(into: &recorder)
        case 12: note(driver.setHeader(string(Int(number >> 4)), string(8)))
        case 13: driver.releaseIdleMemory()
        case 14: send(PreparedMessage(number & 0x10 == 0 ? .text : .binary, input.take(Int(number >> 4))))
        default: output += driver.takeRequestBytes()
        }
    }

    private mutating func receive(_ bytes: [UInt8]) {
        split.forEachChunk(of: bytes) { driver.receive($0.bytes, into: &recorder) }
    }

    private mutating func close(_ choice: UInt8) {
        let codes: [UInt16] = [1000, 1001, 1005, 1006, 3000, 4999, 0, 65_535]
        let code = CloseCode(rawValue: codes[Int(choice & 7)])
        note(driver.close(code, reason: choice & 8 == 0 ? "" : String(repeating: "ä", count: 100), now: now))
    }

    private mutating func advance(_ seconds: UInt64) {
        now = seconds == 15 ? driver.nextDeadline ?? now : now + seconds * 1_000_000_000
        driver.advance(to: now, into: &recorder)
    }

    private mutating func send(_ message: PreparedMessage?) {
        guard let message, let form = driver.preparedForm else { return }
        output += message.bytes(for: form)
    }

    private mutating func string(_ count: Int) -> String { String(decoding: input.take(count), as: UTF8.self) }

    private mutating func note(_ result: Bool) { details.append("\(result) \(driver.state) \(driver.version)") }
}

/// With a small window and little memory: to clear it would take most of the time.
private let smallDeflate: PermessageDeflate = {
    var options = PermessageDeflate.Options()
    options.maxWindowBits = 9
    options.memoryLevel = 1
    guard let deflate = try? PermessageDeflate(options) else { fatalError("valid options are refused") }
    return deflate
}()

private let requests: [[UInt8]] = {
    let version = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    let deflate = "Sec-WebSocket-Extensions: permessage-deflate"
    let keys = "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n"
    return [
        version, version + deflate + "\r\n", version + deflate + "; server_no_context_takeover\r\n", "", keys,
    ].map { Array("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\($0)\r\n".utf8) }
}()

private let responses = [Plan().serverResponse()]

private let deflatingResponses: [[UInt8]] = {
    var plan = Plan()
    plan.extensions = [smallDeflate]
    return [plan.serverResponse()]
}()

private let url: WebSocketURL = {
    guard let url = try? WebSocketURL("ws://a/") else { fatalError("a valid URL is refused") }
    return url
}()

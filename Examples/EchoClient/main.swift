// echo-client ws://HOST:PORT AGENT: the client that the Autobahn test suite's fuzzing server tests.
//
// It asks for the number of cases, echoes every message of each case until the connection is closed, and has
// the report written.

import Driver
import Glibc

signal(SIGPIPE, SIG_IGN)
guard CommandLine.arguments.count == 3 else {
    fail("usage: echo-client ws://HOST:PORT AGENT")
}
let (base, agent) = (CommandLine.arguments[1], CommandLine.arguments[2])

do {
    let answer = try converse(url: base + "/getCaseCount", echo: false)
    guard let answer, let count = Int(answer), count > 0 else { throw SocketError(message: "no number of cases") }
    for number in 1...count {
        try converse(url: base + "/runCase?case=\(number)&agent=\(agent)", echo: true)
    }
    print("\(count) cases")
    try converse(url: base + "/updateReports?agent=\(agent)&shutdownOnComplete=true", echo: false)
} catch {
    fail("\(error)")
}

func fail(_ message: String) -> Never {
    let line = "echo-client: \(message)\n"
    _ = write(STDERR_FILENO, line, line.utf8.count)
    exit(1)
}

/// Opens a connection and serves it until it is closed; returns the first text that came.
@discardableResult
func converse(url text: String, echo: Bool) throws -> String? {
    let url = try WebSocketURL(text)
    let socket = try Socket(connectingTo: url)
    var driver = ClientDriver(url: url, now: monotonicNow())
    var sink = ClientSink(echo: echo)
    try driver.addExtension(PermessageDeflate())
    driver.start()
    try socket.write(driver.takeOutput())

    while !driver.shouldCloseTransport {
        switch try socket.read(until: driver.nextDeadline) {
        case .bytes(let bytes):
            // Event by event, so that a message is echoed before what follows it can close the connection.
            var offset = 0
            while offset < bytes.count {
                offset += driver.receiveNext(bytes.span.bytes.extracting(offset...), into: &sink)
                for (kind, payload) in sink.takeMessages() {
                    switch kind {
                    case .text: driver.text(payload.span.bytes)
                    case .binary: driver.binary(payload.span.bytes)
                    }
                }
            }
        case .end:
            driver.receiveEnd(into: &sink)
        case .timeout:
            driver.advance(to: monotonicNow(), into: &sink)
        }
        if driver.hasOutput { try socket.write(driver.takeOutput()) }
    }
    return sink.firstText
}

/// Keeps what is to be echoed until the driver's call has returned.
struct ClientSink: DriverSink {
    let echo: Bool
    private(set) var firstText: String?
    private var messages: [(kind: MessageKind, payload: [UInt8])] = []

    init(echo: Bool) {
        self.echo = echo
    }

    mutating func message(_ payload: RawSpan, kind: MessageKind) {
        let bytes = payload.withUnsafeBytes(Array.init)
        if firstText == nil { firstText = String(decoding: bytes, as: UTF8.self) }
        if echo { messages.append((kind, bytes)) }
    }

    mutating func takeMessages() -> [(kind: MessageKind, payload: [UInt8])] {
        defer { messages = [] }
        return messages
    }
}

import BrokerCore
import Driver

/// Something that is read from strangers, of any size: twice as much of it may take twice the steps, and no more.
struct Growth: Sendable {
    let name: String
    /// Makes something of a size, and returns what reads it.
    let make: @Sendable (Int) -> () -> Void

    static let all = inDriver + inCore + inFront

    private static let inDriver: [Growth] = [
        Growth(name: "the fields of a head") { size in head(String(repeating: "X: y\r\n", count: size)) },
        Growth(name: "one field of a head") { size in head("X: " + String(repeating: "y", count: size * 6) + "\r\n") },
        Growth(name: "a head that drips") { size in
            head(String(repeating: "X: y\r\n", count: size), isDripping: true)
        },
        Growth(name: "the list of Connection") { size in
            head("Connection: " + String(repeating: "a, ", count: size) + "b\r\n")
        },
        Growth(name: "extensions") { size in
            head("Sec-WebSocket-Extensions: a" + String(repeating: "; b, c", count: size) + "\r\n")
        },
        Growth(name: "the parameters of an extension") { size in
            head("Sec-WebSocket-Extensions: a" + String(repeating: "; b=1", count: size) + "\r\n")
        },
        Growth(name: "the quotes of an extension") { size in
            head(#"Sec-WebSocket-Extensions: a; b=""# + String(repeating: #"\a"#, count: size) + "\r\n")
        },
        Growth(name: "subprotocols") { size in
            head("Sec-WebSocket-Protocol: " + String(repeating: "a, ", count: size) + "b\r\n")
        },
        Growth(name: "a frame that drips") { size in
            frames([[0x81, 0xFF] + length(size * 4) + [0, 0, 0, 0]] + Array(repeating: [0x61], count: size * 4))
        },
        Growth(name: "fragments of a byte") { size in
            frames([[0x01, 0x81, 0, 0, 0, 0, 0x61]] + Array(repeating: [0x00, 0x81, 0, 0, 0, 0, 0x61], count: size))
        },
        Growth(name: "fragments that cut characters") { size in
            frames(
                [[0x01, 0x80, 0, 0, 0, 0]]
                    + (0..<size * 2).map { [0x00, 0x81, 0, 0, 0, 0, [0xE2, 0x82, 0xAC][$0 % 3]] })
        },
        Growth(name: "a text of hixie-75 that drips") { size in
            let head = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
            return feed([Array(head.utf8), [0]] + Array(repeating: [0x61], count: size * 4))
        },
        Growth(name: "blocks that inflate to nothing") { size in inflate([0, 0, 0, 0xFF, 0xFF], count: size) },
        Growth(name: "blocks that inflate to a byte") { size in inflate([0, 1, 0, 0xFE, 0xFF, 0x61], count: size) },
        Growth(name: "final blocks") { size in inflate([1, 1, 0, 0xFE, 0xFF, 0x61], count: size) },
        Growth(name: "fragments that are inflated") { size in
            inflate([0, 1, 0, 0xFE, 0xFF, 0x61], count: size, isFragmented: true)
        },
    ]

    private static let inCore: [Growth] = [
        Growth(name: "escapes in a message") { size in
            scan(#"[{"channel":""# + String(repeating: #"\u0061"#, count: size) + #""}]"#)
        },
        Growth(name: "fields of a message") { size in
            scan("[{" + String(repeating: #""a":1,"#, count: size) + #""b":1}]"#)
        },
        Growth(name: "the same field of a message") { size in
            scan("[{" + String(repeating: #""channel":"/a","#, count: size) + #""data":1}]"#)
        },
        Growth(name: "messages of a batch") { size in
            scan("[" + String(repeating: "{},", count: size) + "0]")
        },
        Growth(name: "brackets") { size in scan(#"[{"data":["# + String(repeating: "[],", count: size) + "0]}]") },
        Growth(name: "blanks") { size in scan(String(repeating: "\n", count: size * 4)) },
        Growth(name: "a number") { size in scan(#"[{"data":"# + String(repeating: "9", count: size * 4) + "}]") },
        Growth(name: "a channel's segments") { size in channel(String(repeating: "/a", count: size)) },
        Growth(name: "a channel's stars") { size in channel(String(repeating: "/*", count: size)) },
    ]

    private static let upgrade = """
        GET /bayeux HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r

        """

    /// The length of a frame in 64 bits.
    private static func length(_ count: Int) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: count >> (56 - 8 * $0)) }
    }

    private static func head(_ fields: String, isDripping: Bool = false) -> () -> Void {
        let bytes = Array((upgrade + fields + "\r\n").utf8)
        return feed(isDripping ? bytes.map { [$0] } : [bytes])
    }

    private static func frames(_ pieces: [[UInt8]]) -> () -> Void {
        feed([Array((upgrade + "\r\n").utf8)] + pieces)
    }

    /// A message of so many blocks of deflate (RFC 1951 §3.2.4), in one frame or in one for each of them.
    private static func inflate(_ block: [UInt8], count: Int, isFragmented: Bool = false) -> () -> Void {
        let head = Array((upgrade + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n").utf8)
        // A sender leaves out all but the first byte of the empty block at the end (RFC 7692 §7.2.1).
        let end: [UInt8] = [0]
        let blocks = Array(repeating: block, count: count)
        guard isFragmented else { return feed([head, frame(0xC2, blocks.flatMap { $0 } + end)]) }
        return feed([head, frame(0x42, [])] + blocks.map { frame(0x00, $0) } + [frame(0x80, end)])
    }

    /// A frame of a client, which begins with that byte; the key of its mask is zero.
    private static func frame(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = [first, 0xFF]
        bytes += length(payload.count)
        bytes += [0, 0, 0, 0]
        return bytes + payload
    }

    /// A new driver, to which pieces come.
    private static func feed(_ pieces: [[UInt8]]) -> () -> Void {
        let scratch = DriverScratch()
        let options = DriverOptions(maximumHeadBytes: 1 << 24, maximumHeaderCount: 1 << 20)
        return {
            var driver = ServerDriver(options: options, scratch: scratch, now: 0)
            try? driver.addExtension(PermessageDeflate())
            var sink = Sink()
            for piece in pieces {
                piece.withUnsafeBytes { driver.receive($0.bytes, into: &sink) }
                if sink.isAsked {
                    sink.isAsked = false
                    _ = driver.start(into: &sink)
                }
            }
        }
    }

    private struct Sink: DriverSink {
        var isAsked = false

        mutating func connect(_ request: borrowing RequestHead) { isAsked = true }
    }

    private static func scan(_ text: String) -> () -> Void {
        let bytes = Array(text.utf8)
        let scanner = EnvelopeScanner(limits: EnvelopeLimits(maximumMessages: 1 << 20))
        var batch: [Envelope] = []
        return {
            batch.removeAll(keepingCapacity: true)
            _ = try? scanner.scan(bytes.span.bytes, into: &batch)
        }
    }

    private static func channel(_ text: String) -> () -> Void {
        {
            _ = try? ChannelName(text, grammar: .faye, maximumBytes: 1 << 24)
            _ = try? ChannelPattern(text, grammar: .faye, maximumBytes: 1 << 24)
        }
    }
}

import BrokerCore
import Driver

/// Something that the broker does for every message, and how often it has done it.
struct Scenario: Sendable {
    let name: String
    /// Prepares, and returns what is then done again and again.
    let make: @Sendable () throws -> () -> Void

    static let all = [
        Scenario(name: "scan a publish of 200 bytes", make: scanning),
        Scenario(name: "read a masked message of 128 bytes", make: reading),
        Scenario(name: "publish, nobody subscribed") { try publishing(subscribers: 0, others: 0) },
        Scenario(name: "publish to 1000 subscribers") { try publishing(subscribers: 1000, others: 0) },
        Scenario(name: "publish to 1 subscriber, 1000 other subscriptions") {
            try publishing(subscribers: 1, others: 1000)
        },
        Scenario(name: "publish to 1 subscriber, 100,000 other subscriptions") {
            try publishing(subscribers: 1, others: 100_000)
        },
    ]

    private static func publishText(bytes: Int, to channel: String = "/chat/room-42") -> [UInt8] {
        let start = #"[{"channel":"\#(channel)","id":"1a2","data":{"text":""#
        let end = #""}}]"#
        let filling = String(repeating: "x", count: max(bytes - start.utf8.count - end.utf8.count, 0))
        return Array((start + filling + end).utf8)
    }

    private static func scanning() -> () -> Void {
        let (text, scanner) = (publishText(bytes: 200), EnvelopeScanner())
        var batch: [Envelope] = []
        return {
            batch.removeAll(keepingCapacity: true)
            _ = try? scanner.scan(text.span.bytes, into: &batch)
        }
    }

    private static func reading() -> () -> Void {
        let reader = Reader()
        return reader.read
    }

    private static func publishing(subscribers: Int, others: Int) throws -> () -> Void {
        let broker = try Broker(subscribers: subscribers, others: others)
        return broker.publish
    }

    /// A router with its subscribers, each on a WebSocket of its own, and a publisher.
    private final class Broker {
        // As in the broker's event loops: what the runtime would check otherwise does not belong to the path.
        @exclusivity(unchecked) private var router: Router
        @exclusivity(unchecked) private var outbox = Outbox()
        private let now = Moment(monotonic: 1, wall: 1)
        @exclusivity(unchecked) private var batch: [Envelope] = []
        private let text: [UInt8]
        private let peer = Peer(connection: ConnectionID(loop: 0, slot: 1_000_000), kind: .socket)

        init(subscribers: Int, others: Int) throws {
            let name = "/chat/room-42"
            var sessions: [StoredState.Session] = []
            let pattern = try ChannelPattern(name, grammar: .faye, maximumBytes: 512)
            for number in 0..<subscribers {
                sessions.append(.init(clientID: "subscriber-\(number)", subscriptions: [pattern: 0]))
            }
            for number in 0..<others {
                // Names and patterns, below the same channel and elsewhere.
                let text = ["/chat/room-\(number)x", "/other/\(number)/*", "/chat/\(number)/**"][number % 3]
                let other = try ChannelPattern(text, grammar: .faye, maximumBytes: 512)
                sessions.append(.init(clientID: "other-\(number)", subscriptions: [other: 0]))
            }
            router = Router(
                limits: Limits(), state: StoredState(epoch: "e", sessions: sessions), loopCount: 1,
                generator: Counter(), now: now)
            text = publishText(bytes: 200, to: name)
            for number in 0..<subscribers { connect("subscriber-\(number)", slot: UInt32(number)) }
        }

        private func connect(_ clientID: String, slot: UInt32) {
            let message = #"[{"channel":"/meta/connect","clientId":"\#(clientID)","connectionType":"websocket"}]"#
            let socket = Peer(connection: ConnectionID(loop: 0, slot: slot), kind: .socket)
            receive(Array(message.utf8), from: socket)
        }

        private func receive(_ text: [UInt8], from peer: Peer) {
            batch.removeAll(keepingCapacity: true)
            guard (try? EnvelopeScanner().scan(text.span.bytes, into: &batch)) != nil else { return }
            router.receive(batch, text: text.span.bytes, from: peer, now: now, into: &outbox)
            router.endTurn(now: now, into: &outbox)
            outbox.removeAll()
        }

        func publish() { receive(text, from: peer) }
    }

    /// The same numbers in each run.
    private struct Counter: RandomNumberGenerator {
        private var value: UInt64 = 0

        mutating func next() -> UInt64 {
            value &+= 0x9E37_79B9_7F4A_7C15
            return value
        }
    }

    /// A server's driver that gets the same frame again and again.
    private final class Reader {
        private struct Sink: DriverSink {
            mutating func message(_ payload: RawSpan, kind: MessageKind) {}
        }
        private var driver = ServerDriver(options: DriverOptions(), scratch: DriverScratch(), now: 0)
        private let frame: [UInt8]
        private var sink = Sink()

        init() {
            let key: [UInt8] = [1, 2, 3, 4]
            let payload = (0..<128).map { UInt8(ascii: "a") ^ key[$0 % 4] }
            frame = [0x81, 0x80 | 126, 0, 128] + key + payload
            let head = """
                GET /bayeux HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n
                """
            let request = Array(head.utf8)
            driver.receive(request.span.bytes, into: &sink)
            _ = driver.start(into: &sink)
        }

        func read() { frame.withUnsafeBytes { driver.receive($0.bytes, into: &sink) } }
    }
}

import BrokerCore
import BrokerFront
import Testing

/// The share of an event loop's time that one address may have. None of it is about how fast this machine is: something
/// always takes longer than a nanosecond.
@Suite("Shares of a loop's time", .timeLimit(.minutes(2)))
struct WorkShareTests {
    private static let waits = #"fanfare_rate_limited_total{limit="work"} "#

    private func configure(_ configuration: inout BrokerConfiguration) {
        configuration.limits.rates.workPerAddress = Rate(1, per: .seconds(3600), burst: 1)
        configuration.trust.ranges = [AddressRange("127.0.0.1")].compactMap { $0 }
        configuration.metrics = .all
    }

    /// How often somebody had to wait.
    private func waitCount(at broker: TestBroker) async throws -> Int {
        let metrics = try await broker.connect().request("GET", "/metrics").body.split(separator: "\n")
        let line = try #require(metrics.first { $0.hasPrefix(Self.waits) })
        return Int(line.dropFirst(Self.waits.count)) ?? 0
    }

    @Test
    func oneAddressWaitsAndOthersDoNot() async throws {
        var free = BrokerConfiguration()
        configure(&free)
        free.allowedHosts = ["*"]
        free.limits.rates.workPerAddress = nil
        try await TestBroker.run(threads: 1, { configure(&$0) }) { broker in
            let first = ("X-Forwarded-For", "203.0.113.1")
            let socket = try await broker.connect()
            let sent = try await socket.request("POST", "/channels/a", headers: [first], body: "1")
            #expect(sent.status == 200)
            #expect(try await waitCount(at: broker) == 0)
            // On another connection, as well: it is the address that has had its share.
            let other = try await broker.connect()
            for socket in [socket, other] {
                try await socket.send(TestSocket.request("POST", "/channels/a", headers: [first], body: "2"))
            }
            while try await waitCount(at: broker) < 2 { await Task.yield() }
            let second = ("X-Forwarded-For", "203.0.113.2")
            let answer = try await broker.connect().request("POST", "/channels/a", headers: [second], body: "3")
            #expect(answer.status == 200)
            // What waited is not lost.
            try await broker.server.reload(free)
            for socket in [socket, other] { #expect(try await socket.readAnswer().status == 200) }
        }
    }

    /// All that was sent is done, in the order in which it was sent.
    @Test(arguments: [1, 2])
    func nothingIsLostByWaiting(threads: Int) async throws {
        try await TestBroker.run(
            threads: threads,
            {
                configure(&$0)
                $0.trust.ranges = []
                $0.limits.rates.includesLoopback = true
                $0.limits.rates.workPerAddress = Rate(250_000_000, burst: 1)
            }
        ) { broker in
            let client = try await TestClient.open(at: broker, subscribedTo: "/a")
            let numbers = 0..<500
            let texts = numbers.map { #"{"channel":"/a","id":"\#($0)","data":\#($0)}"# }
            let socket = try await TestWebSocket.open(at: broker)
            try await socket.send(raw: texts.flatMap { TestWebSocket.frame(opcode: 1, Array("[\($0)]".utf8)) })
            for number in numbers { #expect(try await client.delivery().contains(#""data":\#(number)"#)) }
            var replies: [Message] = []
            while replies.count < numbers.count { replies += try Message.all(in: await socket.nextText()) }
            #expect(replies.map(\.id) == numbers.map { "\($0)" })
            #expect(replies.allSatisfy { $0.successful == true })
            #expect(try await waitCount(at: broker) > 0)
        }
    }
}

import BrokerFront
import Driver
import Testing

/// `/admin/…` over real sockets, with one and two event loops.
@Suite(.timeLimit(.minutes(10)))
struct AdminRouteTests {
    private static func request(
        _ broker: TestBroker, _ method: String, _ target: String, _ headers: [(String, String)] = []
    ) async throws -> HTTPAnswer {
        let socket = try await broker.connect()
        let fields = ([("Host", "127.0.0.1:\(broker.port)")] + headers).map { "\($0.0): \($0.1)\r\n" }.joined()
        try await socket.send("\(method) \(target) HTTP/1.1\r\n\(fields)\r\n")
        return try await socket.readAnswer()
    }

    @Test(arguments: [1, 2])
    func sessionIsShownAndEnded(threads: Int) async throws {
        try await TestBroker.run(threads: threads) { broker in
            let client = try await TestClient.open(at: broker, subscribedTo: "/news/*")
            let tag = client.clientID.prefix(8)
            let shown = try await Self.request(broker, "GET", "/admin/sessions/\(tag)")
            #expect(shown.status == 200)
            #expect(shown.body.contains(#""subscriptions":["/news/*"]"#))
            #expect(!shown.body.contains(client.clientID))
            let ended = try await Self.request(broker, "DELETE", "/admin/sessions/\(tag)")
            #expect(ended.body == "{\"kicked\":\"\(tag)\"}\n")
            #expect(try await client.webSocket.nextClose() == .normal)
            let gone = try await Self.request(broker, "GET", "/admin/sessions/\(tag)")
            #expect(gone.status == 404)
        }
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        var testDescription: String { "\(method) \(target) \(headers)" }
        var method = "GET"
        var target = "/admin/stats"
        var headers: [(String, String)] = []
        let status: Int
    }
    static let refusals = [
        Refusal(headers: [("Origin", "https://evil.example")], status: 403),
        Refusal(headers: [("Sec-Fetch-Site", "cross-site")], status: 403),
        Refusal(headers: [("X-Forwarded-For", "203.0.113.9")], status: 403),
        Refusal(method: "POST", status: 405), Refusal(method: "DELETE", target: "/admin/sessions", status: 405),
        Refusal(method: "PUT", target: "/admin/sessions/12345678", status: 405),
        Refusal(target: "/admin/", status: 404), Refusal(target: "/admin/stats/", status: 404),
        Refusal(target: "/admin/sessions/12345678", status: 404),
        Refusal(target: "/admin/sessions/1234567", status: 400), Refusal(target: "/admin/sessions/", status: 400),
        Refusal(target: "/admin/sessions?limit=0", status: 400),
        Refusal(target: "/admin/sessions?limit=x", status: 400),
        Refusal(target: "/admin/sessions?limit=1001", status: 400),
        Refusal(target: "/admin/channels?start=-1", status: 400),
        Refusal(target: "/admin/channels?pattern=a", status: 400),
    ]

    @Test(arguments: refusals)
    func refused(row: Refusal) async throws {
        try await TestBroker.run { broker in
            let answer = try await Self.request(broker, row.method, row.target, row.headers)
            #expect(answer.status == row.status)
        }
    }
}

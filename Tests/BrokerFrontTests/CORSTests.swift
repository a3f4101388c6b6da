import BrokerFront
import Testing

/// What pages of other origins are told (Fetch standard, CORS protocol).
@Suite(.timeLimit(.minutes(10)))
struct CORSTests {
    private static let good = "https://good.example"

    struct Preflight: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var target = "/bayeux"
        var origin: String? = good
        var fields: String?
        var status = 200
        var methods = "POST, GET"
        var allowed = common
    }
    private static let common =
        "Accept, Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Pragma, Retain, TTL, X-Requested-With"
    static let preflights = [
        Preflight(testDescription: "nothing asked for"),
        Preflight(testDescription: "below the endpoint", target: "/bayeux/connect"),
        Preflight(testDescription: "a type", fields: "content-type", allowed: "content-type"),
        Preflight(
            testDescription: "fields of clients", fields: "Content-Type,X-Requested-With , authorization, traceparent",
            allowed: "Content-Type, X-Requested-With, authorization, traceparent"),
        Preflight(
            testDescription: "fields of proxies, and strange ones",
            fields: "X-Forwarded-For, x-real-ip, X-Anything, idempotency-key", allowed: "idempotency-key"),
        Preflight(testDescription: "some that are not allowed", fields: "cookie, pragma, host", allowed: "pragma"),
        Preflight(testDescription: "none that is allowed", fields: "cookie", allowed: ""),
        Preflight(testDescription: "a channel", target: "/channels/a", methods: "GET, HEAD, POST, OPTIONS"),
        Preflight(testDescription: "a file", target: "/fanfare.js", methods: "GET, HEAD, OPTIONS"),
        Preflight(testDescription: "a page of this machine", origin: "http://localhost:3000"),
        Preflight(testDescription: "no page", origin: nil),
        Preflight(testDescription: "a strange page", origin: "https://evil.example", status: 403),
        Preflight(testDescription: "a page without an origin", origin: "null", status: 403),
        Preflight(testDescription: "nothing there", target: "/nowhere", status: 404),
    ]

    @Test(arguments: preflights)
    func preflight(row: Preflight) async throws {
        try await TestBroker.run {
            $0.allowedOrigins = [Self.good]
        } _: { broker in
            let socket = try await broker.connect()
            var headers = [("Access-Control-Request-Method", "PATCH"), ("Referer", "https://good.example/page")]
            if let origin = row.origin { headers.append(("Origin", origin)) }
            if let fields = row.fields { headers.append(("Access-Control-Request-Headers", fields)) }
            let answer = try await socket.request("OPTIONS", row.target, headers: headers)
            #expect(answer.status == row.status)
            #expect(answer.headers["vary"] == "Origin")
            let isAllowed = row.status != 403
            #expect(answer.headers["access-control-allow-origin"] == (isAllowed ? row.origin : nil))
            let credentials = isAllowed && row.origin != nil ? "true" : nil
            #expect(answer.headers["access-control-allow-credentials"] == credentials)
            guard row.status == 200 else {
                #expect(answer.headers["access-control-allow-headers"] == nil)
                return
            }
            #expect(answer.body.isEmpty)
            #expect(answer.headers["allow"] == row.methods)
            #expect(answer.headers["access-control-allow-methods"] == row.methods)
            #expect(answer.headers["access-control-allow-headers"] == row.allowed)
            #expect(answer.headers["access-control-max-age"] == "86400")
        }
    }

    /// As with Faye, the question may come with another method.
    @Test
    func preflightByTheHeaderAlone() async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let answer = try await socket.request(
                "POST", "/bayeux", headers: [("Access-Control-Request-Method", "POST")], body: "[]")
            #expect(answer.status == 200)
            #expect(answer.body.isEmpty)
            #expect(answer.headers["access-control-allow-methods"] == "POST, GET")
        }
    }

    struct Request: CustomTestStringConvertible, Sendable {
        var testDescription: String { "\(method) \(target) \(type)" }
        var method = "POST"
        let target: String
        var type = "application/json"
        var body = ""
        var messageBytes = 1 << 20
        let status: Int
    }
    static let requests = [
        Request(target: "/bayeux", body: "[]", status: 200),
        Request(target: "/bayeux", type: "text/plain", body: "message=%5B%5D", status: 200),
        Request(target: "/bayeux", body: "{", status: 400),
        Request(target: "/channels/a", body: "1", status: 200),
        Request(target: "/channels/a.b", body: "1", status: 400),
        Request(method: "GET", target: "/channels/a", status: 404),
        Request(method: "GET", target: "/bayeux?message=[]", status: 200),
        Request(method: "GET", target: "/fanfare.js", status: 200),
        Request(method: "PUT", target: "/fanfare.js", status: 405),
        Request(method: "GET", target: "/nowhere", status: 404),
        // Also what is refused before it is complete can be read by the page.
        Request(target: "/channels/a", body: "[\"too large\"]", messageBytes: 4, status: 413),
    ]

    @Test(arguments: requests, [nil, good, "http://broker.test", "http://127.0.0.1:3000"])
    func answerCanBeRead(row: Request, origin: String?) async throws {
        try await TestBroker.run {
            $0.allowedOrigins = [Self.good]
            $0.messageBytes = row.messageBytes
        } _: { broker in
            let socket = try await broker.connect()
            // A script without an origin is let in for its page.
            let headers = [("Content-Type", row.type), TestSocket.ownPage] + (origin.map { [("Origin", $0)] } ?? [])
            let answer = try await socket.request(row.method, row.target, headers: headers, body: row.body)
            #expect(answer.status == row.status)
            #expect(answer.headers["access-control-allow-origin"] == origin)
            #expect(answer.headers["access-control-allow-credentials"] == (origin == nil ? nil : "true"))
            #expect(answer.headers["vary"] == "Origin")
        }
    }

    @Test(
        arguments: requests.filter { $0.status == 200 }, ["https://evil.example", "null", "https://good.example.evil"])
    func strangePageHasNoEffect(row: Request, origin: String) async throws {
        try await TestBroker.run {
            $0.allowedOrigins = [Self.good]
        } _: { broker in
            let subscriber = try await TestClient.open(at: broker, subscribedTo: "/**")
            let socket = try await broker.connect()
            let answer = try await socket.request(
                row.method, row.target, headers: [("Content-Type", row.type), ("Origin", origin)], body: row.body)
            #expect(answer.status == 403)
            #expect(answer.headers["content-type"] == "application/problem+json")
            #expect(answer.headers["access-control-allow-origin"] == nil)
            #expect(answer.headers["access-control-allow-credentials"] == nil)
            #expect(answer.headers["vary"] == "Origin")
            try await subscriber.publish("1", to: "/end")
            #expect(try await subscriber.delivery() == #"{"channel":"/end","data":1}"#)
        }
    }

    /// The sequence number of what is retained.
    @Test
    func pageCanReadOurHeader() async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            _ = try await socket.request("POST", "/channels/a?retain", body: "1")
            let answer = try await socket.request("GET", "/channels/a", headers: [("Origin", "http://localhost")])
            #expect(answer.headers["fanfare-seq"] == "1")
            #expect(answer.headers["access-control-expose-headers"] == "Fanfare-Seq")
        }
    }

    /// Credentials demand the very origin, never `*`.
    @Test
    func allOriginsAllowed() async throws {
        try await TestBroker.run {
            $0.allowedOrigins = ["*"]
        } _: { broker in
            let socket = try await broker.connect()
            for origin in ["https://any.example", "null"] {
                let answer = try await socket.request("OPTIONS", "/bayeux", headers: [("Origin", origin)])
                #expect(answer.status == 200)
                #expect(answer.headers["access-control-allow-origin"] == origin)
            }
        }
    }
}

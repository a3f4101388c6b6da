import BrokerCore
import BrokerFront
import Testing

/// Connections and requests of one address: how many, how fast, and what the rest is told.
@Suite("Limits of addresses", .timeLimit(.minutes(10)))
struct AddressLimitTests {
    /// A broker that counts clients on this machine, too.
    private func run(
        _ configure: (inout BrokerConfiguration) -> Void, _ body: (TestBroker) async throws -> Void
    ) async throws {
        try await TestBroker.run(
            threads: 1,
            {
                $0.limits.rates.includesLoopback = true
                $0.metrics = .all
                configure(&$0)
            }, body)
    }

    private func metric(_ line: String, at broker: TestBroker) async throws -> Bool {
        try await broker.connect().request("GET", "/metrics").body.split(separator: "\n").contains { $0 == line }
    }

    @Test
    func connections() async throws {
        try await run {
            $0.connectionsPerAddress = 1
        } _: { broker in
            let first = try await broker.connect()
            #expect(try await first.request("GET", "/health/live").status == 200)
            let second = try await broker.connect()
            let answer = try await second.request("GET", "/health/live")
            #expect(answer.status == 429 && answer.headers["retry-after"] == "1" && answer.isLast)
            #expect(answer.body.contains("Too many connections from your address"))
            // A WebSocket is told in its handshake.
            let third = try await broker.connect()
            try await third.send(
                "GET /bayeux HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            let refusal = try await third.read(through: "\r\n\r\n")
            #expect(refusal.hasPrefix("HTTP/1.1 429 Too Many Requests\r\n") && refusal.contains("Retry-After: 1\r\n"))
            let metrics = try await first.request("GET", "/metrics").body
            #expect(metrics.contains(#"fanfare_connections_rejected_total{reason="address"} 2"#))
        }
    }

    @Test
    func connectionsFarBeyondTheLimit() async throws {
        try await run {
            $0.connectionsPerAddress = 1
        } _: { broker in
            let held = try await [
                broker.connect(), broker.connect(), broker.connect(), broker.connect(), broker.connect(),
            ]
            #expect(try await broker.connect().readToEnd().isEmpty)
            #expect(try await held[0].request("GET", "/health/live").status == 200)
            #expect(try await held[4].request("GET", "/health/live").status == 429)
        }
    }

    @Test
    func rateOfConnections() async throws {
        try await run {
            $0.limits.rates.connectionsPerAddress = Rate(1, per: .seconds(3600), burst: 1)
        } _: { broker in
            let first = try await broker.connect()
            #expect(try await first.request("GET", "/health/live").status == 200)
            let answer = try await broker.connect().request("GET", "/health/live")
            #expect(answer.status == 429)
            // Less what has passed since the first one.
            #expect(3500...3600 ~= answer.headers["retry-after"].flatMap(Int.init) ?? 0)
            #expect(try await broker.connect().readToEnd().isEmpty)
            let metrics = try await first.request("GET", "/metrics").body
            #expect(metrics.contains(#"fanfare_connections_rejected_total{reason="rate"} 2"#))
            #expect(metrics.contains(#"fanfare_rate_limited_total{limit="connections"} 2"#))
        }
    }

    @Test
    func rateOfRequests() async throws {
        try await run {
            $0.limits.rates.requestsPerAddress = Rate(1, per: .seconds(60), burst: 2)
        } _: { broker in
            let socket = try await broker.connect()
            for _ in 0..<2 { #expect(try await socket.request("GET", "/health/live").status == 200) }
            let answer = try await socket.request("GET", "/health/live")
            #expect(answer.status == 429 && !answer.isLast)
            // Less what has passed since the first one.
            #expect(30...60 ~= answer.headers["retry-after"].flatMap(Int.init) ?? 0)
        }
    }

    /// What Bayeux says of it, and plain HTTP.
    @Test
    func rateOfPublications() async throws {
        try await run {
            $0.limits.rates.publishPerSession = Rate(1, per: .seconds(3600), burst: 1)
        } _: { broker in
            let client = try await TestClient.open(at: broker)
            #expect(try await client.publish("1", to: "/a").error == nil)
            let refusal = try await client.publish("1", to: "/a").error
            #expect(refusal?.wholeMatch(of: /429:publish,(35|36)\d\d:Rate limit reached/) != nil, "\(refusal ?? "")")
            let socket = try await broker.connect()
            #expect(try await socket.request("POST", "/channels/a", body: "1").status == 200)
            let answer = try await socket.request("POST", "/channels/a", body: "1")
            #expect(answer.status == 429)
            #expect(3500...3600 ~= answer.headers["retry-after"].flatMap(Int.init) ?? 0)
            #expect(try await metric(#"fanfare_rate_limited_total{limit="publish"} 2"#, at: broker))
        }
    }

    @Test
    func rateOfSubscriptions() async throws {
        try await run {
            $0.limits.rates.subscribePerSession = Rate(1, per: .seconds(3600), burst: 2)
        } _: { broker in
            let client = try await TestClient.open(at: broker, subscribedTo: "/a")
            let refusal = try await client.call("/meta/subscribe", #""subscription":["/b","/c"]"#).error
            #expect(refusal?.wholeMatch(of: /429:subscribe,(35|36)\d\d:Rate limit reached/) != nil, "\(refusal ?? "")")
        }
    }

    /// Nobody on this machine is limited unless the configuration says so.
    @Test
    func thisMachineIsNotLimited() async throws {
        try await run {
            $0.limits.rates.includesLoopback = false
            $0.connectionsPerAddress = 1
            $0.limits.rates.connectionsPerAddress = Rate(1, per: .seconds(3600), burst: 1)
            $0.limits.rates.requestsPerAddress = Rate(1, per: .seconds(3600), burst: 1)
            $0.limits.rates.publishPerSession = Rate(1, per: .seconds(3600), burst: 1)
        } _: { broker in
            let sockets = try await [broker.connect(), broker.connect(), broker.connect()]
            for socket in sockets {
                for _ in 0..<3 { #expect(try await socket.request("POST", "/channels/a", body: "1").status == 200) }
            }
        }
    }

    @Test
    func otherLimitsWhileItRuns() async throws {
        var configuration = BrokerConfiguration()
        configuration.allowedHosts = ["*"]
        configuration.limits.rates.includesLoopback = true
        configuration.connectionsPerAddress = 1
        try await TestBroker.run { broker in
            let first = try await broker.connect()
            #expect(try await first.request("GET", "/health/live").status == 200)
            try await broker.server.reload(configuration)
            let counted = try await broker.connect()
            #expect(try await counted.request("GET", "/health/live").status == 200)
            #expect(try await broker.connect().request("GET", "/health/live").status == 429)
        }
    }
}

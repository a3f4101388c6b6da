import BrokerFront
import Testing

/// `/health/…` over real sockets; Tests/Faults shows that a store which cannot write is told.
@Suite(.timeLimit(.minutes(10)))
struct HealthTests {
    @Test(arguments: [1, 2])
    func isWellUntilItDrains(threads: Int) async throws {
        try await TestBroker.run(threads: threads) { broker in
            let socket = try await broker.connect()
            for path in ["/health/live", "/health/ready"] {
                let answer = try await socket.request("GET", path)
                #expect(answer.status == 200)
                #expect(answer.body == "{\"status\":\"ok\",\"reasons\":[]}\n")
            }
            broker.server.beginDraining()
            let ready = try await socket.request("GET", "/health/ready")
            #expect(ready.status == 503)
            #expect(
                ready.body == "{\"status\":\"failed\",\"reasons\":[\"draining: the broker is about to stop\"]}\n")
            #expect(ready.isLast)
            #expect(try await broker.connect().request("GET", "/health/live").status == 200)
        }
    }
}

import Foundation
import Testing

/// `broker-cli subscribe`.
@Suite(.timeLimit(.minutes(10)))
struct SubscribeTests {
    @Test
    func patternsAndCount() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        #expect(try await broker.cli("publish", "/b", "0", "--retain").status == 0)
        let subscriber = try Program(
            "broker-cli", ["--url", broker.endpoint, "sub", "/a/*", "/b", "/c/**", "--count", "3"])
        #expect(try await subscriber.line().contains(#""channel":"/b""#))
        #expect(try await broker.cli("publish", "/a", "1").status == 0)
        #expect(try await broker.cli("publish", "/a/x", "2").status == 0)
        #expect(try await broker.cli("publish", "/a/x/y", "3").status == 0)
        #expect(try await broker.cli("publish", "/c/x/y", "4").status == 0)
        let ending = try await subscriber.end()
        #expect(
            ending
                == Ending(
                    status: 0, output: "{\"channel\":\"/a/x\",\"data\":2}\n{\"channel\":\"/c/x/y\",\"data\":4}\n",
                    errors: ""))
        try await broker.stop()
    }

    /// As with `broker-cli subscribe … | head -1`; no message is needed to notice it.
    @Test
    func closedPipe() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let subscriber = try await broker.subscriber(to: "/a")
        await subscriber.closeOutput()
        let ending = try await subscriber.endWithoutOutput()
        #expect(ending.status == 141)
        #expect(ending.errors.isEmpty)
        try await broker.stop()
    }

    @Test
    func brokerIsKilled() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let subscriber = try await broker.subscriber(to: "/a", options: ["--no-reconnect"])
        try await broker.stop(SIGKILL)
        let ending = try await subscriber.end()
        #expect(ending.status == 69)
        #expect(ending.output.isEmpty)
        #expect(ending.errors.hasPrefix("broker-cli: "))
        #expect(ending.errors.split(separator: "\n").count == 1)
    }
}

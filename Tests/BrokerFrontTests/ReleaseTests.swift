import BrokerFront
import Testing

/// What a broker that has stopped, and connections that have ended, leave behind: nothing.
@Suite(.timeLimit(.minutes(10)))
struct ReleaseTests {
    /// Tells when it is freed. What hooks know lives as long as the last of the broker's loops, which each connection
    /// knows.
    private final class Witness: Sendable {
        private let freed: AsyncStream<Never>.Continuation

        init(_ freed: AsyncStream<Never>.Continuation) {
            self.freed = freed
        }

        deinit {
            freed.finish()
        }

        func look() {}
    }

    struct Use: CustomTestStringConvertible {
        let testDescription: String
        let body: @Sendable (TestSocket) async throws -> Void
    }
    private static let stream = TestSocket.request(
        "GET", "/channels/a/*", headers: [("Accept", "text/event-stream")])
    private static let uses = [
        Use(testDescription: "nothing") { _ in },
        Use(testDescription: "a request") { socket in
            let answer = try await socket.request("GET", "/health/live")
            #expect(answer.status == 200)
        },
        Use(testDescription: "a WebSocket") { socket in
            try await TestWebSocket.start(over: socket).expectOpen()
        },
        Use(testDescription: "an event stream that its client leaves") { socket in
            try await socket.send(stream)
            _ = try await socket.read(through: "retry: ")
            try await socket.close()
        },
        Use(testDescription: "an event stream that the broker ends") { socket in
            try await socket.send(stream)
            _ = try await socket.read(through: "retry: ")
        },
    ]

    @Test(arguments: uses, [1, 2])
    func nothingIsLeft(use: Use, threads: Int) async throws {
        let (released, freed) = AsyncStream.makeStream(of: Never.self)
        try await Self.run(witness: Witness(freed), threads: threads, use.body)
        // Ends when the witness does.
        for await _ in released {}
    }

    private static func run(
        witness: Witness, threads: Int, _ body: (TestSocket) async throws -> Void
    ) async throws {
        var hooks = BrokerHooks()
        hooks.observer = { _ in witness.look() }
        try await TestBroker.run(threads: threads, hooks: hooks) { broker in try await body(broker.connect()) }
    }
}

import BrokerCore
import BrokerFront
import Testing

/// Services of the program that embeds the broker, from the client's side.
@Suite(.timeLimit(.minutes(10)))
struct ServiceTests {
    /// One that neither answers nor looks whether it is cancelled keeps its client waiting no longer than it may.
    @Test
    func thatDoesNotEnd() async throws {
        var hooks = BrokerHooks()
        hooks.serviceTimeout = .milliseconds(100)
        hooks.services["/service/mute"] = { _ in
            await withUnsafeContinuation { (_: UnsafeContinuation<[UInt8], Never>) in }
        }
        try await TestBroker.run(hooks: hooks) { broker in
            let client = try await TestClient.open(at: broker)
            let answer = try await client.call("/service/mute", #""data":1"#)
            #expect(answer.error == "500::Internal server error")
        }
    }
}

import BrokerCore
import Support
import Testing

/// How fast channels take publications, where their policies say so.
@Suite("Rates of channels")
struct ChannelRateTests {
    /// Without any other limit.
    private func harness() throws -> RouterHarness {
        var policies = ChannelPolicies()
        let pattern = try ChannelPattern("/slow/**", grammar: .faye, maximumBytes: 512)
        policies[pattern] = ChannelPolicy(rate: Rate(1, burst: 2))
        return try RouterHarness(policies: policies)
    }

    private func error(_ events: [RouterHarness.Event]) -> String? {
        for case .reply(let reply) in events { return reply["error"]?.text }
        return nil
    }

    @Test("Each channel has its own, whoever publishes, on this machine as well")
    func channels() throws {
        let harness = try harness()
        func publish(to channel: String) -> String? {
            error(harness.send([["channel": .string(channel), "data": 1]], from: harness.socket()))
        }
        for _ in 0..<2 { #expect(publish(to: "/slow/a") == nil) }
        #expect(publish(to: "/slow/a") == "429:channel,1:Rate limit reached")
        #expect(publish(to: "/slow/b") == nil)
        for _ in 0..<10 { #expect(publish(to: "/quick") == nil) }
        let receipt = try harness.publishOverHTTP(1, to: "/slow/a", from: harness.exchange())
        guard case .receipt(.failure(let failure))? = receipt.first else {
            Issue.record("it was taken over HTTP")
            return
        }
        #expect(failure.wire == "429:channel,1:Rate limit reached" && failure.retryAfter == 1)
        harness.advance(by: .seconds(1))
        #expect(publish(to: "/slow/a") == nil)
        #expect(publish(to: "/slow/a") == "429:channel,1:Rate limit reached")
        #expect(harness.counters.limitedCounts[.channel] == 3)
    }

    /// What was refused was not taken, so it is no repetition when it comes again. What was taken and comes again costs
    /// nothing.
    @Test
    func repetitions() throws {
        let harness = try harness()
        let (peer, clientID) = harness.open()
        func publish(_ id: String) -> String? {
            error(
                harness.send(
                    [["channel": "/slow/a", "clientId": .string(clientID), "id": .string(id), "data": 1]], from: peer))
        }
        let (subscriber, subscriberID) = harness.open()
        _ = harness.subscribe(subscriberID, to: "/slow/a", from: subscriber)
        #expect(publish("1") == nil)
        #expect(publish("2") == nil)
        #expect(publish("3") == "429:channel,1:Rate limit reached")
        #expect(publish("2") == nil)
        harness.advance(by: .seconds(1))
        #expect(publish("3") == nil)
        #expect(publish("4") == "429:channel,1:Rate limit reached")
    }
}

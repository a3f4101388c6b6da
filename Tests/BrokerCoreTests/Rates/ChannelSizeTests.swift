import BrokerCore
import Support
import Testing

/// How much data channels take in one publication, where their policies say so.
@Suite("Sizes of channels")
struct ChannelSizeTests {
    /// Five bytes of JSON, of which one publication may go through at once.
    private func harness() throws -> RouterHarness {
        var policies = ChannelPolicies()
        let pattern = try ChannelPattern("/small/**", grammar: .faye, maximumBytes: 512)
        policies[pattern] = ChannelPolicy(rate: Rate(1, burst: 1), messageBytes: 5)
        return try RouterHarness(policies: policies)
    }

    private func error(_ events: [RouterHarness.Event]) -> String? {
        for case .reply(let reply) in events { return reply["error"]?.text }
        return nil
    }

    private static let refusal = "413:/small/a,5:Message too large"

    @Test("Over Bayeux: the limit itself is taken, a byte more is not, and takes nothing of the channel's rate")
    func messages() throws {
        let harness = try harness()
        let (subscriber, subscriberID) = harness.open()
        _ = harness.subscribe(subscriberID, to: "/small/a", from: subscriber)
        func publish(_ data: JSON, to channel: String = "/small/a") -> String? {
            error(harness.send([["channel": .string(channel), "data": data]], from: harness.socket()))
        }
        #expect(publish("1234") == Self.refusal)
        #expect(publish("123") == nil)
        #expect(publish("1234") == Self.refusal)
        #expect(publish("123") == "429:channel,1:Rate limit reached")
        #expect(publish("1234", to: "/large") == nil)
        let index = try #require(RouterCounters.errorCodes.firstIndex(of: 413))
        #expect(harness.counters.refusedCounts[index] == 2)
    }

    @Test("Over HTTP; its key stands for nothing")
    func requests() throws {
        let harness = try harness()
        var options = PublishOptions()
        options.idempotencyKey = "key"
        let refused = try harness.publishOverHTTP("1234", to: "/small/a", options: options, from: harness.exchange())
        guard case .receipt(.failure(let failure))? = refused.first else {
            Issue.record("it was taken over HTTP")
            return
        }
        #expect(failure.wire == Self.refusal && failure.retryAfter == nil)
        let taken = try harness.publishOverHTTP("123", to: "/small/a", options: options, from: harness.exchange())
        guard case .receipt(.success)? = taken.first else {
            Issue.record("the limit itself was refused")
            return
        }
    }
}

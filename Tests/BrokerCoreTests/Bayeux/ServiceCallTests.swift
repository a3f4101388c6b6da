import BrokerCore
import Support
import Testing

/// Messages to services of the embedding program: their bounds are their own, and a connection's in all.
@Suite("Calls of services")
struct ServiceCallTests {
    private static let retain: JSON = ["retain": true]
    private static let answer = RouterHarness.Event.reply(["channel": "/service/a", "data": 2, "successful": true])

    private static func harness(_ limits: Limits) throws -> RouterHarness {
        let harness = try RouterHarness(limits: limits, embedding: Embedding(services: ["/service/a"]))
        harness.storeMode = .held
        return harness
    }

    private static func refusal(_ channel: String, _ error: String) -> [RouterHarness.Event] {
        [.reply(["channel": .string(channel), "successful": false, "error": .string(error)])]
    }

    @Test("So many calls may be under way; meanwhile the store takes what it would take without them")
    func count() throws {
        var limits = Limits()
        limits.pendingStoreOperations = 8
        let harness = try Self.harness(limits)
        let (caller, other) = (harness.socket(), harness.socket())
        for _ in 0..<2 { #expect(harness.publish(1, to: "/service/a", from: caller) == []) }
        let refusal = Self.refusal("/service/a", "429:calls:Limit reached")
        #expect(harness.publish(1, to: "/service/a", from: caller) == refusal)
        #expect(harness.counters.refusedCounts.reduce(0, +) == 1)
        for _ in 0..<8 { #expect(harness.publish(1, to: "/b", from: other, ext: Self.retain) == []) }
        #expect(
            harness.publish(1, to: "/b", from: other, ext: Self.retain)
                == Self.refusal("/b", "407:/b:Failed to publish"))
        // Nor does the store keep services from being called.
        harness.answerCall(.success(Array("2".utf8)))
        #expect(harness.take(caller) == [Self.answer])
        #expect(harness.publish(1, to: "/service/a", from: caller) == [])
    }

    @Test("An error of a service is counted, whatever its code is")
    func errorCodes() throws {
        let harness = try Self.harness(Limits())
        let caller = harness.socket()
        for code in [403, 404, 499] {
            #expect(harness.publish(1, to: "/service/a", from: caller) == [])
            harness.answerCall(.failure(BayeuxError(code: code, arguments: [], text: "No")))
            #expect(harness.take(caller) == Self.refusal("/service/a", "\(code)::No"))
        }
        let index = try #require(RouterCounters.errorCodes.firstIndex(of: 403))
        #expect(harness.counters.refusedCounts[index] == 1)
        #expect(harness.counters.refusedCounts.last == 2)
    }

    @Test("So many bytes may be with services")
    func bytes() throws {
        var limits = Limits()
        limits.pendingStoreBytes = 16
        let harness = try Self.harness(limits)
        let peer = harness.socket()
        #expect(harness.publish("0123456789", to: "/service/a", from: peer) == [])
        let refusal = Self.refusal("/service/a", "429:calls:Limit reached")
        #expect(harness.publish(1, to: "/service/a", from: peer) == refusal)
        #expect(harness.publish("0123456789", to: "/b", from: peer, ext: Self.retain) == [])
        harness.answerCall(.success(Array("2".utf8)))
        #expect(harness.take(peer) == [Self.answer])
        #expect(harness.publish(1, to: "/service/a", from: peer) == [])
    }

    @Test("Calls count for what one connection has under way, in whatever order they come", arguments: 0..<4)
    func backPressure(callNumber: Int) throws {
        var limits = Limits()
        limits.pendingOperationsPerConnection = 4
        let harness = try Self.harness(limits)
        let peer = harness.socket()
        for number in 0..<6 {
            let events =
                number == callNumber
                ? harness.publish(1, to: "/service/a", from: peer)
                : harness.publish(1, to: "/b", from: peer, ext: Self.retain)
            #expect(events == (number == 3 ? [.pause] : []))
        }
        harness.answerCall(.success(Array("2".utf8)))
        #expect(harness.take(peer) == [Self.answer])
        harness.runStore(3)
        #expect(harness.take(peer) == Array(repeating: .acknowledged("/b"), count: 3))
        harness.runStore(1)
        #expect(harness.take(peer) == [.acknowledged("/b"), .resume])
        harness.runStore()
        #expect(harness.take(peer) == [.acknowledged("/b")])
    }

    @Test("A bound of one operation does not stop a connection for ever")
    func boundOfOne() throws {
        var limits = Limits()
        limits.pendingOperationsPerConnection = 1
        let harness = try Self.harness(limits)
        let peer = harness.socket()
        for _ in 0..<2 {
            #expect(harness.publish(1, to: "/service/a", from: peer) == [.pause])
            harness.answerCall(.success(Array("2".utf8)))
            #expect(harness.take(peer) == [Self.answer, .resume])
        }
    }

    @Test("A connection that is gone is released with the last answer")
    func release() throws {
        let harness = try Self.harness(Limits())
        let peer = harness.socket()
        harness.publish(1, to: "/service/a", from: peer)
        harness.close(peer)
        #expect(harness.unreleasedCount == 1)
        harness.answerCall(.success(Array("2".utf8)))
        #expect(harness.unreleasedCount == 0)
    }
}

import NIOCore
import Support
import Testing

@testable import FanfareClient

/// Publications until they are acknowledged: order, window, ids, and what is sent again.
struct PublicationQueueTests {
    private func document(_ number: Int) -> FanfareClient.Publication { .init(Array("\(number)".utf8), to: "/a") }

    /// The data of the publications that were sent.
    private func sent(_ harness: SessionHarness) -> [JSON?] { harness.take().map { $0["data"] } }

    private func acknowledge(_ harness: SessionHarness, _ ids: String...) {
        for id in ids { harness.receive(["channel": "/a", "id": .string(id), "successful": true]) }
    }

    @Test
    func membersAndReceipts() throws {
        let harness = try SessionHarness()
        harness.establish()
        var publication = FanfareClient.Publication(Array("1".utf8), to: "/a\"", retain: true, timeToLive: 2)
        publication.wantsReceipt = true
        let first = harness.publish([publication])
        publication = .init(Array("2".utf8), to: "/b", timeToLive: 0.5)
        publication.id = "my own"
        let second = harness.publish([publication])
        #expect(
            harness.transport.sent == [
                [
                    "channel": "/a\"", "clientId": "one", "data": 1, "id": "p0",
                    "ext": ["retain": true, "receipt": true, "ttl": 2],
                ],
                ["channel": "/b", "clientId": "one", "data": 2, "id": "my own", "ext": ["ttl": 0.5]],
            ])
        harness.receive(["channel": "/b", "id": "my own", "successful": true])
        harness.receive(["channel": "/a\"", "id": "p0", "successful": true, "ext": ["seq": 41, "matched": 3]])
        #expect(try second.list?.first?.get() == PublicationReceipt())
        let receipt = try first.list?.first?.get()
        #expect(receipt?.sequence == 41)
        #expect(receipt?.matchedCount == 3)
    }

    @Test
    func windowAndOrder() throws {
        let harness = try SessionHarness { $0.window = 4 }
        harness.establish()
        let outcomes = harness.publish((0..<6).map(document))
        #expect(sent(harness) == [0, 1, 2, 3])
        // Out of order; what is in front of it is still missing.
        acknowledge(harness, "p1")
        #expect(sent(harness) == [])
        acknowledge(harness, "p0")
        #expect(sent(harness) == [4, 5])
        #expect(outcomes.list == nil)
        acknowledge(harness, "p2", "p3", "p4", "p5")
        #expect(outcomes.list?.count == 6)
    }

    /// What was not acknowledged goes out again, in order, under the same ids; what was, does not.
    @Test
    func lostConnection() throws {
        let harness = try SessionHarness()
        harness.establish()
        _ = harness.publish((0..<4).map(document))
        _ = harness.take()
        acknowledge(harness, "p2")
        harness.lose()
        harness.waitForDial()
        harness.open()
        harness.answer("/meta/connect", [:])
        let again = harness.transport.sent.filter { $0["channel"] == "/a" }
        #expect(again.map { $0["id"] } == ["p0", "p1", "p3"])
        #expect(again.map { $0["data"] } == [0, 1, 3])
        #expect(again.allSatisfy { $0["clientId"] == "one" })
    }

    @Test
    func refusalsAndTheEnd() throws {
        let harness = try SessionHarness()
        harness.establish()
        let outcomes = harness.publish((0..<2).map(document))
        harness.receive(["channel": "/a", "id": "p0", "successful": false, "error": "403:/a:no"])
        // Unknown and repeated answers change nothing.
        acknowledge(harness, "p0", "p77", "x", "p")
        #expect(outcomes.list == nil)
        harness.core.end(nil)
        #expect(outcomes.list == [.failure(.refused("403:/a:no")), .failure(.clientClosed)])
    }

    /// One id twice: the answers are those of the publications in their order.
    @Test
    func sameIDTwice() throws {
        let harness = try SessionHarness()
        harness.establish()
        var publication = document(1)
        publication.id = "same"
        let first = harness.publish([publication])
        let second = harness.publish([publication])
        harness.receive(["channel": "/a", "id": "same", "successful": true])
        #expect(first.list?.count == 1)
        #expect(second.list == nil)
        harness.receive(["channel": "/a", "id": "same", "successful": false, "error": "no"])
        #expect(second.list == [.failure(.refused("no"))])
    }
}

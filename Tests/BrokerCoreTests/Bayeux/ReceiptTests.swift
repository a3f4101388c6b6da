import BrokerCore
import Support
import Testing

@Suite("Receipts of publications over Bayeux (ext.receipt)")
struct ReceiptTests {
    private func publish(_ ext: JSON, _ harness: RouterHarness, _ peer: Peer) -> [RouterHarness.Event] {
        harness.send([["channel": "/a", "data": 1, "id": "7", "ext": ext]], from: peer)
    }

    private func reply(_ ext: JSON?) -> RouterHarness.Event {
        var members: [String: JSON] = ["channel": "/a", "id": "7", "successful": true]
        members["ext"] = ext
        return .reply(.object(members))
    }

    @Test("They say how many subscribers matched, and the number of what was stored")
    func counts() throws {
        let harness = try RouterHarness(loopCount: 2)
        let publisher = harness.socket()
        #expect(publish(["receipt": true], harness, publisher) == [reply(["matched": 0])])
        let (first, firstID) = harness.open()
        let (second, secondID) = harness.open(loop: 1)
        harness.subscribe(firstID, to: ["/a", "/**"], from: first)
        harness.subscribe(secondID, to: "/*", from: second)
        #expect(publish(["receipt": true], harness, publisher) == [reply(["matched": 2])])
        #expect(harness.take(first) == [.message(1, on: "/a")])
        #expect(
            publish(["receipt": true, "retain": true], harness, publisher) == [reply(["seq": 1, "matched": 2])])
        #expect(harness.take(second) == [.message(1, on: "/a"), .message(1, on: "/a", sequence: 1)])
        // Who does not ask gets none.
        for ext: JSON in [["receipt": false], ["receipt": 1], ["retain": true], [:]] {
            #expect(publish(ext, harness, publisher) == [reply(nil)])
        }
    }

    @Test("Who does not hear itself does not count itself")
    func noEcho() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: peer)
        let message: JSON = [
            "channel": "/a", "data": 1, "clientId": .string(clientID), "ext": ["receipt": true, "noEcho": true],
        ]
        let events = harness.send([message], from: peer)
        guard case .reply(let reply)? = events.first, events.count == 1 else {
            Issue.record("\(events)")
            return
        }
        #expect(reply["ext"] == ["matched": 0])
    }
}

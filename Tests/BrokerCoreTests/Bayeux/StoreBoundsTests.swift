import BrokerCore
import Support
import Testing

/// What the store may have to do at once, and how much of the past one request is answered with.
@Suite("Bounds of the store")
struct StoreBoundsTests {
    @Test
    func bytesUnderWay() throws {
        var limits = Limits()
        limits.pendingStoreBytes = 10
        let harness = try RouterHarness(limits: limits)
        harness.storeMode = .held
        let peer = harness.socket()
        let ext: JSON = ["retain": true]
        #expect(harness.publish("0123456789", to: "/a", from: peer, ext: ext) == [])
        #expect(
            harness.publish(1, to: "/a", from: peer, ext: ext) == [
                .reply(["channel": "/a", "successful": false, "error": "407:/a:Failed to publish"])
            ])
        harness.runStore()
        _ = harness.take(peer)
        #expect(harness.publish(1, to: "/a", from: peer, ext: ext) == [])
    }

    @Test
    func answerToOneRequestForHistory() throws {
        var limits = Limits()
        limits.historyMessages = 2
        var policies = ChannelPolicies()
        policies[try ChannelPattern("/a", grammar: .faye, maximumBytes: 512)] = ChannelPolicy(historyCount: 10)
        let harness = try RouterHarness(limits: limits, policies: policies)
        let peer = harness.socket()
        for number in 1...3 { harness.publish(.number(Double(number)), to: "/a", from: peer) }
        guard
            case .history(let messages)? = try harness.readHistory(
                of: "/a", after: 0, limit: 10, for: harness.exchange()
            )
            .first
        else { return #expect(Bool(false), "no answer") }
        #expect(messages.map { $0["data"] } == [1, 2])
    }

    @Test("A repetition that the store has no room for is refused, and says nothing of the first one")
    func repetition() throws {
        var limits = Limits()
        limits.pendingStoreOperations = 2
        let harness = try RouterHarness(limits: limits)
        let (peer, clientID) = harness.open()
        let message: JSON = ["channel": "/a", "clientId": .string(clientID), "id": "1", "data": 1]
        let reply: JSON = ["channel": "/a", "clientId": .string(clientID), "id": "1", "successful": true]
        #expect(harness.send([message], from: peer) == [.reply(reply)])
        harness.storeMode = .held
        let other = harness.socket()
        for number: JSON in [1, 2] { harness.publish(number, to: "/b", from: other, ext: ["retain": true]) }
        guard case .reply(let refused)? = harness.send([message], from: peer).first else {
            return #expect(Bool(false), "no answer")
        }
        #expect(refused["successful"] == false)
        harness.runStore()
        harness.storeMode = .prompt
        let (reader, readerID) = harness.open()
        harness.subscribe(readerID, to: "/a", from: reader)
        #expect(harness.send([message], from: peer) == [.reply(reply)])
        #expect(harness.take(reader) == [])
    }
}

import BrokerCore
import Support
import Testing

@Suite("While the store works")
struct StoreOrderTests {
    private static let retain: JSON = ["retain": true]

    @Test("A publication behind a stored one of the same connection does not overtake it; others do")
    func publicationOrder() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/**", from: peer)
        harness.storeMode = .held
        let publisher = harness.socket()
        #expect(harness.publish(1, to: "/kept", from: publisher, ext: Self.retain) == [])
        #expect(harness.publish(2, to: "/plain", from: publisher) == [])
        #expect(harness.publish(3, to: "/other", from: harness.socket()) == [.acknowledged("/other")])
        #expect(harness.take(peer) == [.message(3, on: "/other")])
        harness.runStore()
        #expect(
            harness.take(peer)
                == [.message(1, on: "/kept", sequence: 1), .message(2, on: "/plain")])
        #expect(
            harness.take(publisher) == [.acknowledged("/kept"), .acknowledged("/plain")])
        // Nothing is under way any more: at once again.
        #expect(harness.publish(4, to: "/plain", from: publisher) == [.acknowledged("/plain")])
    }

    @Test("Subscribe, publish, unsubscribe in one batch take effect in this order")
    func pipelining() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.storeMode = .held
        let id: JSON = .string(clientID)
        #expect(
            harness.send(
                [
                    ["channel": "/meta/subscribe", "clientId": id, "subscription": "/a"],
                    ["channel": "/a", "data": 1],
                    ["channel": "/meta/unsubscribe", "clientId": id, "subscription": "/a"],
                    ["channel": "/a", "data": 2],
                ], from: peer) == [])
        harness.runStore()
        #expect(
            harness.take(peer) == [
                .subscribed(clientID, to: "/a"), .acknowledged("/a"),
                .message(1, on: "/a"),
                .reply([
                    "channel": "/meta/unsubscribe", "clientId": id, "subscription": "/a", "successful": true,
                ]),
                .acknowledged("/a"),
            ])
    }

    @Test("A subscription takes effect between two stored publications: one is retained, the other live")
    func subscriptionPoint() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        let publisher = harness.socket()
        harness.storeMode = .held
        harness.publish(1, to: "/a", from: publisher, ext: Self.retain)
        harness.subscribe(clientID, to: "/a", from: peer)
        harness.publish(2, to: "/a", from: publisher, ext: Self.retain)
        harness.runStore()
        #expect(
            harness.take(peer) == [
                .subscribed(clientID, to: "/a"),
                .message(1, on: "/a", sequence: 1, retained: true),
                .message(2, on: "/a", sequence: 2),
            ])
    }

    @Test("The store fails: 407 for what was to be kept, the rest goes on")
    func failure() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/**", from: peer)
        harness.storeMode = .failing
        #expect(
            harness.publish(1, to: "/a", from: peer, ext: Self.retain)
                == [
                    .reply([
                        "channel": "/a", "successful": false, "error": "407:/a:Failed to publish: the disk is full",
                    ])
                ])
        #expect(
            harness.publish(2, to: "/a", from: peer)
                == [.acknowledged("/a"), .message(2, on: "/a")])
        let options = PublishOptions(retain: true)
        let events = try harness.publishOverHTTP(1, to: "/a", options: options, from: harness.exchange())
        guard case .receipt(.failure(let error))? = events.first else {
            Issue.record("\(events)")
            return
        }
        #expect(error.wire == "407:/a:Failed to publish: the disk is full")
        #expect(harness.take(peer) == [])
    }

    @Test("A connection with too much under way is not read from until half of it is done")
    func backPressure() throws {
        var limits = Limits()
        limits.pendingOperationsPerConnection = 4
        let harness = try RouterHarness(limits: limits)
        harness.storeMode = .held
        let (publisher, other) = (harness.socket(), harness.socket())
        for number in 1...3 {
            #expect(harness.publish(.number(Double(number)), to: "/a", from: publisher, ext: Self.retain) == [])
        }
        #expect(harness.publish(4, to: "/a", from: publisher, ext: Self.retain) == [.pause])
        // What was read already is not lost.
        #expect(harness.publish(5, to: "/a", from: publisher, ext: Self.retain) == [])
        #expect(harness.publish(1, to: "/b", from: other, ext: Self.retain) == [])
        harness.runStore(3)
        #expect(harness.take(publisher) == Array(repeating: .acknowledged("/a"), count: 3))
        harness.runStore(1)
        #expect(harness.take(publisher) == [.acknowledged("/a"), .resume])
        harness.runStore()
        #expect(harness.take(publisher) == [.acknowledged("/a")])
        #expect(harness.take(other) == [.acknowledged("/b")])
    }

    @Test("More operations than allowed are refused: 407 for publications, 429 for the rest")
    func operationLimit() throws {
        var limits = Limits()
        limits.pendingStoreOperations = 2
        let harness = try RouterHarness(limits: limits)
        let (peer, clientID) = harness.open()
        harness.storeMode = .held
        harness.publish(1, to: "/a", from: peer, ext: Self.retain)
        harness.publish(2, to: "/a", from: peer)
        let refusal: RouterHarness.Event = .reply([
            "channel": "/a", "successful": false, "error": "407:/a:Failed to publish",
        ])
        #expect(harness.publish(3, to: "/a", from: peer) == [refusal])
        #expect(harness.publish(3, to: "/a", from: peer, ext: Self.retain) == [refusal])
        guard case .reply(let reply)? = harness.subscribe(clientID, to: "/a", from: peer).first else {
            Issue.record("no reply")
            return
        }
        #expect(reply["error"] == "429:operations:Limit reached")
        guard case .retained(.failure(let error))? = try harness.readRetained(of: "/a", for: harness.exchange()).first
        else {
            Issue.record("no answer")
            return
        }
        #expect(error.wire == "429:operations:Limit reached")
        harness.runStore()
        #expect(harness.take(peer) == [.acknowledged("/a"), .acknowledged("/a")])
        #expect(harness.publish(4, to: "/a", from: peer, ext: Self.retain) == [])
    }

    @Test("A connection that goes while the store works for it is released once, after the last operation")
    func closing() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        let (subscriber, subscriberID) = harness.open()
        harness.subscribe(subscriberID, to: "/a", from: subscriber)
        harness.storeMode = .held
        harness.publish(1, to: "/a", from: peer, ext: Self.retain)
        harness.publish(2, to: "/a", from: peer)
        harness.subscribe(clientID, to: "/a", from: peer)
        harness.close(peer)
        #expect(harness.take(peer) == [])
        harness.runStore(2)
        #expect(harness.take(peer) == [])
        harness.runStore(1)
        #expect(harness.take(peer) == [.release])
        // What it published went out, and its session has subscribed.
        #expect(
            harness.take(subscriber)
                == [.message(1, on: "/a", sequence: 1), .message(2, on: "/a")])
        #expect(
            harness.connect(clientID, from: harness.socket()) == [
                .message(1, on: "/a", sequence: 1, retained: true), .connected(clientID),
            ])
    }

    @Test("HTTP requests that are given up while the store works are released once, unanswered")
    func givingUp() throws {
        let harness = try RouterHarness()
        harness.storeMode = .held
        let batch = harness.exchange()
        harness.publish(1, to: "/a", from: batch, ext: Self.retain)
        let publication = harness.exchange()
        try harness.publishOverHTTP(2, to: "/a", options: PublishOptions(retain: true), from: publication)
        let reading = harness.exchange()
        try harness.readRetained(of: "/a", for: reading)
        for peer in [batch, publication, reading] { harness.close(peer) }
        harness.runStore()
        for peer in [batch, publication, reading] { #expect(harness.take(peer) == [.release]) }
    }
}

import BrokerCore
import Support
import Synchronization
import Testing

/// A store in memory that takes down what is read of the past.
private final class NotingStore: Store {
    private let store = MemoryStore(epoch: "log")
    private let noted = Mutex<[BacklogRequest]>([])

    var requests: [BacklogRequest] { noted.withLock { $0 } }

    func open(handler: @escaping @Sendable ([StoreOutcome]) -> Void) throws(StoreError) -> StoredState {
        try store.open(handler: handler)
    }

    func submit(_ operations: [StoreOperation]) {
        noted.withLock { noted in
            for case .readBacklog(_, let request, _) in operations { noted.append(request) }
        }
        store.submit(operations)
    }

    func close() { store.close() }
}

/// A subscribe or unsubscribe of a session that exists (`$` stands for its client id): what is refused, and what stays.
private struct RefusalRow: Sendable, CustomStringConvertible {
    let clientID: JSON?
    let subscription: JSON?
    let error: JSON
    var appliedCount = 0

    var description: String { "\(clientID ?? "-") \(subscription ?? "-")" }
}

@Suite("Subscribe and unsubscribe")
struct SubscribeTests {
    private static let missingSubscription: JSON = "402:subscription:Missing required parameter"
    private static let missingClientID: JSON = "402:clientId:Missing required parameter"
    private static let refusals = [
        RefusalRow(clientID: "x", subscription: "/a", error: "401:x:Unknown client"),
        RefusalRow(clientID: nil, subscription: "/a", error: missingClientID),
        RefusalRow(clientID: "", subscription: "/a//", error: missingClientID),
        RefusalRow(clientID: "x", subscription: nil, error: missingSubscription),
        RefusalRow(clientID: nil, subscription: "", error: missingSubscription),
        RefusalRow(clientID: "$", subscription: .null, error: missingSubscription),
        RefusalRow(clientID: "$", subscription: "/a/*/b", error: "405:/a/*/b:Invalid channel"),
        RefusalRow(clientID: "$", subscription: 5, error: "405:5:Invalid channel"),
        RefusalRow(clientID: "$", subscription: "/meta/**", error: "403:/meta/**:Forbidden channel"),
        RefusalRow(clientID: "$", subscription: "/meta", error: "403:/meta:Forbidden channel"),
        RefusalRow(clientID: "$", subscription: "/service/x", error: "403:/service/x:Forbidden channel"),
        // Items in order; the first bad one stops, those before it stay applied.
        RefusalRow(
            clientID: "$", subscription: ["/a", "/b/**", "/meta/x", "/c", "/d//"],
            error: "403:/meta/x:Forbidden channel", appliedCount: 2),
        RefusalRow(
            clientID: "$", subscription: ["/a", "b", "/c"], error: "405:b:Invalid channel", appliedCount: 1),
        RefusalRow(
            clientID: "$", subscription: ["/a", nil, "/c"], error: "405:null:Invalid channel", appliedCount: 1),
        RefusalRow(
            clientID: "$", subscription: ["/a", ["/b"]], error: #"405:["/b"]:Invalid channel"#, appliedCount: 1),
    ]

    @Test("Refusals keep the client id and the subscription", arguments: refusals)
    private func refusal(row: RefusalRow) throws {
        let harness = try RouterHarness()
        let (peer, session) = harness.open()
        for channel in ["/meta/subscribe", "/meta/unsubscribe"] {
            var message: [String: JSON] = ["channel": .string(channel)]
            message["clientId"] = row.clientID == "$" ? .string(session) : row.clientID
            message["subscription"] = row.subscription
            var reply = message
            if row.clientID == "" { reply["clientId"] = nil }
            if ["", .null, nil].contains(row.subscription) { reply["subscription"] = [] }
            reply["successful"] = false
            reply["error"] = row.error
            #expect(harness.send([.object(message)], from: peer) == [.reply(.object(reply))])
            #expect(harness.subscriptionCount == (channel == "/meta/subscribe" ? row.appliedCount : 0))
        }
    }

    @Test("An empty array succeeds")
    func emptyArray() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        #expect(harness.subscribe(clientID, to: [], from: peer) == [.subscribed(clientID, to: [])])
    }

    @Test("Subscribing twice is one subscription; unsubscribing from what was never subscribed succeeds")
    func twice() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        for subscription in ["/a", ["/a", "/a"]] as [JSON] {
            #expect(
                harness.subscribe(clientID, to: subscription, from: peer)
                    == [.subscribed(clientID, to: subscription)])
            #expect(harness.subscriptionCount == 1)
        }
        let unsubscribed: JSON = [
            "channel": "/meta/unsubscribe", "clientId": .string(clientID), "subscription": ["/never", "/a"],
            "successful": true,
        ]
        for _ in 0..<2 {
            #expect(harness.unsubscribe(clientID, from: ["/never", "/a"], over: peer) == [.reply(unsubscribed)])
            #expect(harness.subscriptionCount == 0)
        }
        #expect(harness.publish(1, to: "/a", from: peer) == [.acknowledged("/a")])
    }

    @Test("What was never subscribed is no work for the store; what is being subscribed is ended behind that")
    func neverMade() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        func unsubscribed(_ subscription: JSON) -> RouterHarness.Event {
            .reply([
                "channel": "/meta/unsubscribe", "clientId": .string(clientID), "subscription": subscription,
                "successful": true,
            ])
        }
        harness.subscribe(clientID, to: "/a", from: peer)
        harness.storeMode = .held
        #expect(harness.unsubscribe(clientID, from: "/never", over: peer) == [unsubscribed("/never")])
        #expect(harness.unsubscribe(clientID, from: "/a", over: peer) == [])
        #expect(harness.subscribe(clientID, to: "/a", from: peer) == [])
        harness.runStore(1)
        #expect(harness.take(peer) == [unsubscribed("/a")])
        #expect(harness.unsubscribe(clientID, from: "/a", over: peer) == [])
        harness.runStore()
        #expect(harness.take(peer) == [.subscribed(clientID, to: "/a"), unsubscribed("/a")])
        #expect(harness.subscriptionCount == 0)
    }

    @Test("Subscriptions of a session are bounded, also while the store works")
    func bound() throws {
        var limits = Limits()
        limits.subscriptionsPerSession = 3
        let harness = try RouterHarness(limits: limits)
        let (peer, clientID) = harness.open()
        func refusal(_ subscription: JSON) -> RouterHarness.Event {
            .reply([
                "channel": "/meta/subscribe", "clientId": .string(clientID), "subscription": subscription,
                "successful": false, "error": "429:subscriptions:Limit reached",
            ])
        }
        harness.storeMode = .held
        #expect(harness.subscribe(clientID, to: ["/a", "/b"], from: peer) == [])
        #expect(harness.subscribe(clientID, to: ["/c", "/d"], from: peer) == [refusal(["/c", "/d"])])
        #expect(harness.subscribe(clientID, to: ["/c", "/c"], from: peer) == [])
        #expect(harness.subscribe(clientID, to: "/e", from: peer) == [refusal("/e")])
        harness.storeMode = .prompt
        harness.runStore()
        _ = harness.take(peer)
        #expect(harness.subscriptionCount == 3)
        #expect(harness.subscribe(clientID, to: "/e", from: peer) == [refusal("/e")])
        #expect(harness.subscribe(clientID, to: "/a", from: peer) == [.subscribed(clientID, to: "/a")])
        harness.unsubscribe(clientID, from: "/a", over: peer)
        #expect(harness.subscribe(clientID, to: "/e", from: peer) == [.subscribed(clientID, to: "/e")])
        // What failed takes no place.
        harness.unsubscribe(clientID, from: "/e", over: peer)
        harness.storeMode = .failing
        harness.subscribe(clientID, to: "/f", from: peer)
        harness.storeMode = .prompt
        #expect(harness.subscribe(clientID, to: "/g", from: peer) == [.subscribed(clientID, to: "/g")])
    }

    @Test("The store fails: 500, and nothing is changed")
    func storeFailure() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: peer)
        harness.storeMode = .failing
        func failure(_ channel: JSON, _ subscription: JSON) -> RouterHarness.Event {
            .reply([
                "channel": channel, "clientId": .string(clientID), "subscription": subscription, "successful": false,
                "error": "500::The store failed: the disk is full",
            ])
        }
        #expect(harness.subscribe(clientID, to: "/b", from: peer) == [failure("/meta/subscribe", "/b")])
        #expect(harness.unsubscribe(clientID, from: "/a", over: peer) == [failure("/meta/unsubscribe", "/a")])
        #expect(harness.subscriptionCount == 1)
    }

    @Test("The session ends while the store works: the subscribe is refused")
    func sessionEnds() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.storeMode = .held
        let other = harness.socket()
        #expect(harness.subscribe(clientID, to: "/a", from: other) == [])
        harness.disconnect(clientID, from: peer)
        harness.runStore()
        #expect(
            harness.take(other) == [
                .reply([
                    "channel": "/meta/subscribe", "clientId": .string(clientID), "subscription": "/a",
                    "successful": false, "error": .string("401:\(clientID):Unknown client"),
                ])
            ])
        #expect(harness.subscriptionCount == 0)
    }

    @Test("A pattern that is named many times is read for once")
    func namedTwice() throws {
        let store = NotingStore()
        let harness = try RouterHarness(store: store)
        for channel in ["/a", "/b"] { harness.publish(1, to: channel, from: harness.socket(), ext: ["retain": true]) }
        let (peer, clientID) = harness.open()
        let subscription: JSON = ["/b", "/a", "/b", "/a", "/b"]
        let events = harness.subscribe(clientID, to: subscription, from: peer)
        #expect(events.first == .subscribed(clientID, to: subscription))
        #expect(store.requests.map { $0.items.map(\.pattern.text) } == [["/b", "/a"]])
    }

    @Test("What the store could not take of a session's first subscriptions, it gets with the others")
    func unsaved() throws {
        let store = RememberingStore()
        let harness = try RouterHarness(store: store)
        let (peer, clientID) = harness.open()
        harness.storeMode = .held
        for channel: JSON in ["/a", "/b", "/c", "/d"] { harness.subscribe(clientID, to: channel, from: peer) }
        harness.failStore(2)
        harness.unsubscribe(clientID, from: "/b", over: peer)
        harness.storeMode = .prompt
        harness.runStore()
        #expect(harness.subscriptionCount == 3)
        #expect(store.sessions.map { Set($0.subscriptions.keys.map(\.text)) } == [["/a", "/c", "/d"]])
        harness.unsubscribe(clientID, from: "/a", over: peer)
        #expect(store.sessions.map { Set($0.subscriptions.keys.map(\.text)) } == [["/c", "/d"]])
    }
}

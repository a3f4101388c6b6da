import BrokerCore
import Support
import Testing

/// A member `id` as it is sent, and as it comes back.
private struct IDRow: Sendable {
    let sent: String
    let echoed: JSON?
}

@Suite("Batches and what every reply repeats")
struct BatchTests {
    @Test("An empty batch is answered with an empty one")
    func empty() throws {
        let harness = try RouterHarness()
        #expect(harness.send("[]", from: harness.socket()) == [.emptyReply])
        #expect(harness.send("[]", from: harness.exchange()) == [.finish])
    }

    private static let nonObjects = ["1", "\"x\"", "null", "true", "[]", #"[{"channel":"/a","data":1}]"#]

    @Test("What is no object is answered like a message without data", arguments: nonObjects)
    func nonObject(member: String) throws {
        let harness = try RouterHarness()
        let error: RouterHarness.Event = .reply([
            "successful": false, "error": "402:data:Missing required parameter",
        ])
        #expect(
            harness.send(#"[\#(member),{"channel":"/a","data":1},\#(member)]"#, from: harness.socket())
                == [error, .acknowledged("/a"), error])
        #expect(harness.send("[\(member)]", from: harness.exchange()) == [error, .finish])
    }

    private static let ids = [
        IDRow(sent: #""1a""#, echoed: "1a"),
        IDRow(sent: "17", echoed: 17),
        IDRow(sent: #"{"a":[1]}"#, echoed: ["a": [1]]),
        IDRow(sent: "true", echoed: true),
        IDRow(sent: "[]", echoed: []),
        IDRow(sent: #""\u00e9\"""#, echoed: "é\""),
        IDRow(sent: #""0""#, echoed: "0"),
        // What JavaScript takes for false.
        IDRow(sent: "0", echoed: nil),
        IDRow(sent: "-0.0e5", echoed: nil),
        IDRow(sent: #""""#, echoed: nil),
        IDRow(sent: "false", echoed: nil),
        IDRow(sent: "null", echoed: nil),
    ]

    @Test("The id comes back exactly as it was sent", arguments: ids)
    private func id(row: IDRow) throws {
        let harness = try RouterHarness()
        var reply: [String: JSON] = ["channel": "/a", "successful": true]
        reply["id"] = row.echoed
        #expect(
            harness.send(#"{"channel":"/a","data":1,"id":\#(row.sent)}"#, from: harness.socket())
                == [.reply(.object(reply))])
    }

    @Test("A message brings its own error, and is refused with it")
    func sentError() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: peer)
        let denied: JSON = ["code": 403]
        #expect(
            harness.send([["channel": "/a", "data": 1, "error": denied]], from: peer)
                == [.reply(["channel": "/a", "successful": false, "error": denied])])
        #expect(
            harness.send(
                [["channel": "/meta/subscribe", "clientId": .string(clientID), "subscription": "/b", "error": "no"]],
                from: peer)
                == [
                    .reply([
                        "channel": "/meta/subscribe", "clientId": .string(clientID), "subscription": "/b",
                        "successful": false, "error": "no",
                    ])
                ])
        #expect(
            harness.send([["channel": "/meta/disconnect", "clientId": .string(clientID), "error": "no"]], from: peer)
                == [.reply(["channel": "/meta/disconnect", "successful": false, "error": "no"])])
        #expect(harness.sessionCount == 1)
        #expect(harness.subscriptionCount == 1)
        // None of them has a code of the broker's.
        #expect(harness.counters.refusedCounts.last == 3)
        #expect(harness.counters.refusedCounts.reduce(0, +) == 3)
        // An error that JavaScript takes for false is none.
        #expect(
            harness.send([["channel": "/b", "data": 1, "error": ""]], from: peer)
                == [.acknowledged("/b")])
    }

    @Test("An HTTP batch with other messages answers its connect at once, and is finished once")
    func httpBatch() throws {
        let harness = try RouterHarness()
        let clientID = harness.openPolling()
        let events = harness.send(
            [RouterHarness.connect(clientID, over: .exchange), ["channel": "/a", "data": 1]], from: harness.exchange())
        #expect(events == [.connected(clientID), .acknowledged("/a"), .finish])
    }

    @Test("An HTTP batch is finished when the store is through with all of it")
    func httpBatchBehindStore() throws {
        let harness = try RouterHarness()
        harness.storeMode = .held
        let peer = harness.exchange()
        let kept: JSON = ["channel": "/a", "data": 1, "ext": ["retain": true]]
        #expect(
            harness.send([kept, ["channel": "/service/x", "data": 1], kept], from: peer) == [
                .acknowledged("/service/x")
            ])
        harness.runStore(1)
        #expect(harness.take(peer) == [.acknowledged("/a")])
        harness.runStore()
        #expect(harness.take(peer) == [.acknowledged("/a"), .finish])
    }
}

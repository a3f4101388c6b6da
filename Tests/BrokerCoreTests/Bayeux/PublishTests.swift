import BrokerCore
import Support
import Testing

/// A publication that is refused.
private struct RefusalRow: Sendable, CustomStringConvertible {
    let members: [String: JSON]
    let error: JSON

    var description: String { "\(JSON.object(members))" }
}

@Suite("Publish")
struct PublishTests {
    private static let missingData: JSON = "402:data:Missing required parameter"
    private static let refusals = [
        RefusalRow(members: ["channel": "/a b", "data": 1], error: "405:/a b:Invalid channel"),
        RefusalRow(members: ["channel": "/a/*", "data": 1], error: "405:/a/*:Invalid channel"),
        RefusalRow(members: ["channel": "/meta/", "data": 1], error: "405:/meta/:Invalid channel"),
        RefusalRow(members: ["channel": "/foo\nbar", "data": 1], error: "405:/foo\nbar:Invalid channel"),
        RefusalRow(members: ["channel": 7, "data": 1], error: "405:7:Invalid channel"),
        RefusalRow(members: ["data": 1], error: "405::Invalid channel"),
        RefusalRow(members: ["channel": "", "data": 1], error: "405::Invalid channel"),
        RefusalRow(members: [:], error: missingData),
        RefusalRow(members: ["channel": "/a"], error: missingData),
        RefusalRow(members: ["channel": "/service/a"], error: missingData),
        RefusalRow(members: ["channel": "/a b"], error: missingData),
        RefusalRow(members: ["channel": "/a", "error": "no"], error: missingData),
        RefusalRow(members: ["channel": "/a b", "data": 1, "error": "no"], error: "405:/a b:Invalid channel"),
        RefusalRow(members: ["channel": "/meta", "data": 1], error: "403:/meta:Forbidden channel"),
        RefusalRow(members: ["channel": "/meta/x"], error: "403:/meta/x:Forbidden channel"),
        RefusalRow(
            members: ["channel": "/meta/subscribe/x", "error": "no"], error: "403:/meta/subscribe/x:Forbidden channel"),
    ]

    @Test("Later checks overwrite earlier ones", arguments: refusals)
    private func refusal(row: RefusalRow) throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/**", from: peer)
        var reply: [String: JSON] = ["successful": false, "error": row.error]
        if row.members["channel"] != "" { reply["channel"] = row.members["channel"] }
        #expect(harness.send([.object(row.members)], from: peer) == [.reply(.object(reply))])
    }

    @Test("The acknowledgement has id and client id but no data; nobody verifies the client id")
    func acknowledgement() throws {
        let harness = try RouterHarness()
        let message: JSON = ["channel": "/a", "data": nil, "id": 3, "clientId": "nobody", "more": 1]
        #expect(
            harness.send([message], from: harness.socket())
                == [.reply(["channel": "/a", "id": 3, "clientId": "nobody", "successful": true])])
    }

    @Test("A meta channel that is written with escapes is the meta channel")
    func escapedMeta() throws {
        let harness = try RouterHarness()
        #expect(
            harness.send(#"{"channel":"\/meta\/disconn\u0065ct","clientId":"x"}"#, from: harness.socket()) == [
                .reply(["channel": "/meta/disconnect", "successful": false, "error": "401:x:Unknown client"])
            ])
    }

    @Test("Each subscriber gets a message once, however many of its patterns match; the publisher, too")
    func once() throws {
        let harness = try RouterHarness(loopCount: 2)
        let (first, firstID) = harness.open()
        let (second, secondID) = harness.open(loop: 1)
        let (third, thirdID) = harness.open(loop: 1)
        harness.subscribe(firstID, to: ["/a/b", "/a/*", "/a/**", "/**"], from: first)
        harness.subscribe(secondID, to: "/a/*", from: second)
        harness.subscribe(thirdID, to: ["/a", "/a/b/**", "/a/b/*", "/*"], from: third)
        #expect(
            harness.publish(["x": 1], to: "/a/b", from: first)
                == [.acknowledged("/a/b"), .message(["x": 1], on: "/a/b")])
        #expect(harness.take(second) == [.message(["x": 1], on: "/a/b")])
        #expect(harness.take(third) == [])
    }

    @Test("The publisher's id, ext and other members are not forwarded; data is, byte for byte")
    func forwarding() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: peer)
        let text =
            #"{"id":"9","clientId":"\#(clientID)","ext":{"token":"secret"},"x":1,"channel":"/a","#
            + #""data":{"n":12345678901234567890,"e":1e2,"s":"\u00e9"}}"#
        let publisher = harness.socket()
        harness.send(text, from: publisher)
        #expect(
            harness.take(peer)
                == [.message(["n": 12_345_678_901_234_567_890.0, "e": 100, "s": "é"], on: "/a")])
    }

    @Test("Service channels are acknowledged and never broadcast")
    func service() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: ["/**", "/*"], from: peer)
        #expect(harness.publish(1, to: "/service/x", from: peer) == [.acknowledged("/service/x")])
        #expect(harness.publish(1, to: "/service", from: peer) == [.acknowledged("/service")])
        #expect(
            harness.publish(1, to: "/service/x", from: peer, ext: ["retain": true])
                == [.acknowledged("/service/x")])
        #expect(harness.take(peer) == [])
    }

    @Test("Over plain HTTP: a receipt with the number of sessions, and of the log if it was stored")
    func plainHTTP() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: ["/a", "/**"], from: peer)
        func receipt(_ options: PublishOptions) throws -> PublishReceipt? {
            let events = try harness.publishOverHTTP(1, to: "/a", options: options, from: harness.exchange())
            guard case .receipt(.success(let receipt))? = events.first, events.count == 1 else { return nil }
            return receipt
        }
        let plain = try #require(try receipt(PublishOptions()))
        #expect(plain.sequence == nil)
        #expect(plain.matchedCount == 1)
        #expect(plain.channel.text == "/a")
        #expect(harness.take(peer) == [.message(1, on: "/a")])
        let stored = try #require(try receipt(PublishOptions(retain: true)))
        #expect(stored.sequence == 1)
        #expect(stored.matchedCount == 1)
        #expect(stored.id != plain.id)
        #expect(harness.take(peer) == [.message(1, on: "/a", sequence: 1)])
    }

    @Test("Over plain HTTP: refusals", arguments: ["/meta/x", "/service/x"])
    func plainHTTPRefused(channel: String) throws {
        let harness = try RouterHarness()
        let events = try harness.publishOverHTTP(1, to: channel, from: harness.exchange())
        guard case .receipt(.failure(let error))? = events.first else {
            Issue.record("\(events)")
            return
        }
        #expect(error.wire == "403:\(channel):Forbidden channel")
    }
}

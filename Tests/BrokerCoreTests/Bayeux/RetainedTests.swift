import BrokerCore
import Support
import Testing

/// A subscription, and what it gets of the retained messages on `/a`, `/a/b`, `/a/c/d` (sequence numbers 1, 2, 3).
private struct PatternRow: Sendable {
    let subscription: JSON
    let sequences: [Int]
}

@Suite("Retained messages")
struct RetainedTests {
    private static let channels = ["/a", "/a/b", "/a/c/d"]
    private static let rows = [
        PatternRow(subscription: "/a", sequences: [1]),
        PatternRow(subscription: "/a/*", sequences: [2]),
        PatternRow(subscription: "/a/**", sequences: [2, 3]),
        PatternRow(subscription: "/**", sequences: [1, 2, 3]),
        PatternRow(subscription: "/*", sequences: [1]),
        PatternRow(subscription: ["/a/c/d", "/a", "/**"], sequences: [1, 2, 3]),
        PatternRow(subscription: "/b/**", sequences: []),
    ]

    @Test("On subscribing: the reply, then what matches, each once, marked, in order", arguments: rows)
    private func subscribe(row: PatternRow) throws {
        let harness = try RouterHarness()
        let publisher = harness.socket()
        for (index, channel) in Self.channels.enumerated() {
            harness.publish(.number(Double(index + 1)), to: channel, from: publisher, ext: ["retain": true])
        }
        let (peer, clientID) = harness.open()
        #expect(
            harness.subscribe(clientID, to: row.subscription, from: peer)
                == [.subscribed(clientID, to: row.subscription)]
                + row.sequences.map { sequence in
                    RouterHarness.Event.message(
                        .number(Double(sequence)), on: Self.channels[sequence - 1], sequence: sequence, retained: true)
                })
    }

    @Test("Live it carries its number and no mark; the last one stays")
    func live() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: peer)
        for number in 1...2 {
            let data: JSON = .number(Double(number * 10))
            #expect(
                harness.publish(data, to: "/a", from: peer, ext: ["retain": true]) == [
                    .acknowledged("/a"), .message(data, on: "/a", sequence: number),
                ])
        }
        #expect(
            harness.subscribe(clientID, to: "/a", from: peer) == [
                .subscribed(clientID, to: "/a"),
                .message(20, on: "/a", sequence: 2, retained: true),
            ])
    }

    private static let otherExts: [JSON] = [["retain": 1], ["retain": "true"], ["retain": false], [], "x"]

    @Test("Only a true `retain` retains", arguments: otherExts)
    func retainIsBool(ext: JSON) throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.publish(1, to: "/a", from: peer, ext: ext)
        #expect(harness.subscribe(clientID, to: "/a", from: peer) == [.subscribed(clientID, to: "/a")])
    }

    @Test("A retained null clears, and is delivered live")
    func clear() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.publish(1, to: "/a", from: peer, ext: ["retain": true])
        harness.subscribe(clientID, to: "/a", from: peer)
        _ = harness.take(peer)
        #expect(
            harness.send(#"{"channel":"/a","data": null ,"ext":{"retain":true}}"#, from: peer)
                == [.acknowledged("/a"), .message(nil, on: "/a", sequence: 2)])
        #expect(harness.subscribe(clientID, to: "/a", from: peer) == [.subscribed(clientID, to: "/a")])
    }

    @Test("A time to live is counted in seconds", arguments: [1.5, 0, -3])
    func timeToLive(seconds: Double) throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        let ext: JSON = ["retain": true, "ttl": .number(seconds)]
        harness.publish(1, to: "/a", from: peer, ext: ext)
        func retainedCount() -> Int { harness.subscribe(clientID, to: "/a", from: peer).count - 1 }
        if seconds > 0 {
            harness.advance(by: .milliseconds(Int(seconds * 1000) - 1))
            #expect(retainedCount() == 1)
            harness.advance(by: .milliseconds(1))
        }
        #expect(retainedCount() == 0)
    }

    @Test("A time to live beyond all measure is a long one", arguments: [1e12, 1e300])
    func endlessTimeToLive(seconds: Double) throws {
        let harness = try RouterHarness()
        harness.publish(1, to: "/a", from: harness.socket(), ext: ["retain": true, "ttl": .number(seconds)])
        let (peer, clientID) = harness.open()
        #expect(harness.subscribe(clientID, to: "/a", from: peer).count == 2)
    }

    @Test("Plain HTTP reads the retained message, or none")
    func read() throws {
        let harness = try RouterHarness()
        harness.publish(["x": 1], to: "/a", from: harness.socket(), ext: ["retain": true])
        let name = try ChannelName("/a", grammar: .faye, maximumBytes: 10)
        let stored = StoredPublication(sequence: 1, channel: name, data: Array(#"{"x":1}"#.utf8))
        #expect(try harness.readRetained(of: "/a", for: harness.exchange()) == [.retained(.success(stored))])
        #expect(try harness.readRetained(of: "/b", for: harness.exchange()) == [.retained(.success(nil))])
        harness.storeMode = .failing
        let failure = try harness.readRetained(of: "/a", for: harness.exchange())
        guard case .retained(.failure(let error))? = failure.first else {
            Issue.record("\(failure)")
            return
        }
        #expect(error.wire == "500::The store failed: the disk is full")
    }
}

import BrokerCore
import Support
import Testing

@Suite("Connect over long-polling")
struct LongPollingTests {
    @Test("A held poll is answered at its timeout")
    func timeout() throws {
        let harness = try RouterHarness()
        let clientID = harness.openPolling()
        let poll = harness.exchange()
        #expect(harness.connect(clientID, from: poll, timeout: 5000) == [])
        harness.advance(by: .milliseconds(4999))
        #expect(harness.take(poll) == [])
        harness.advance(by: .milliseconds(1))
        #expect(harness.take(poll) == [.connected(clientID), .finish])
    }

    @Test("A held poll goes out at the end of the turn, with all that came in it")
    func messages() throws {
        let harness = try RouterHarness()
        let clientID = harness.openPolling()
        harness.subscribe(clientID, to: "/a", from: harness.exchange())
        let poll = harness.exchange()
        #expect(harness.connect(clientID, from: poll) == [])
        let publisher = harness.socket()
        harness.send([["channel": "/a", "data": 1]], from: publisher, endingTurn: false)
        harness.send([["channel": "/a", "data": 2]], from: publisher, endingTurn: false)
        #expect(harness.take(poll) == [])
        harness.endTurn()
        #expect(
            harness.take(poll) == [
                .message(1, on: "/a"), .message(2, on: "/a"),
                .connected(clientID), .finish,
            ])
    }

    @Test("What came between two polls is in the second's answer, at once")
    func between() throws {
        let harness = try RouterHarness()
        let clientID = harness.openPolling()
        harness.subscribe(clientID, to: "/a", from: harness.exchange())
        harness.publish(1, to: "/a", from: harness.socket())
        #expect(
            harness.connect(clientID, from: harness.exchange())
                == [.message(1, on: "/a"), .connected(clientID), .finish])
        #expect(harness.connect(clientID, from: harness.exchange()) == [])
    }

    @Test("A second poll has the first answered without messages")
    func doublePoll() throws {
        let harness = try RouterHarness()
        let clientID = harness.openPolling()
        harness.subscribe(clientID, to: "/a", from: harness.exchange())
        let first = harness.exchange()
        let second = harness.exchange()
        #expect(harness.connect(clientID, from: first) == [])
        #expect(harness.connect(clientID, from: second) == [])
        #expect(harness.take(first) == [.connected(clientID), .finish])
        harness.publish(1, to: "/a", from: harness.socket())
        #expect(
            harness.take(second)
                == [.message(1, on: "/a"), .connected(clientID), .finish])
    }

    @Test("A poll that its client gave up: messages wait for the next")
    func givenUp() throws {
        let harness = try RouterHarness()
        let clientID = harness.openPolling()
        harness.subscribe(clientID, to: "/a", from: harness.exchange())
        let poll = harness.exchange()
        harness.connect(clientID, from: poll)
        harness.close(poll)
        #expect(harness.take(poll) == [.release])
        harness.publish(1, to: "/a", from: harness.socket())
        #expect(
            harness.connect(clientID, from: harness.exchange())
                == [.message(1, on: "/a"), .connected(clientID), .finish])
    }

    @Test("A session changes between WebSocket and polling")
    func changingTransport() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: peer)
        harness.connect(clientID, from: peer)
        let poll = harness.exchange()
        #expect(harness.connect(clientID, from: poll) == [])
        #expect(harness.take(peer) == [.connected(clientID)])
        harness.publish(1, to: "/a", from: harness.socket())
        #expect(
            harness.take(poll) == [.message(1, on: "/a"), .connected(clientID), .finish])
        let next = harness.exchange()
        harness.connect(clientID, from: next)
        #expect(harness.connect(clientID, from: peer) == [.connected(clientID)])
        #expect(harness.take(next) == [.connected(clientID), .finish])
        harness.publish(2, to: "/a", from: harness.socket())
        #expect(harness.take(peer) == [.message(2, on: "/a")])
    }

    @Test("Retained messages of a subscribe reach a held poll")
    func retained() throws {
        let harness = try RouterHarness()
        harness.publish(1, to: "/a", from: harness.socket(), ext: ["retain": true])
        let clientID = harness.openPolling()
        let poll = harness.exchange()
        harness.connect(clientID, from: poll)
        #expect(
            harness.subscribe(clientID, to: "/a", from: harness.exchange())
                == [.subscribed(clientID, to: "/a"), .finish])
        #expect(
            harness.take(poll) == [
                .message(1, on: "/a", sequence: 1, retained: true), .connected(clientID),
                .finish,
            ])
    }
}

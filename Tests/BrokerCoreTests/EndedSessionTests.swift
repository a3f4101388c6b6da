import Support
import Testing

@testable import BrokerCore

/// What is remembered of sessions that have ended.
@Suite("Why sessions ended")
struct EndedSessionTests {
    private static func endings(_ harness: RouterHarness, of clientID: String? = nil) -> [EndedSession] {
        guard case .endings(let found) = harness.ask(.endings(clientID.flatMap { SessionTag($0) }, limit: 100)) else {
            return []
        }
        return found
    }

    @Test("A client says goodbye: what it sent, what it got, how it came")
    func disconnect() throws {
        let harness = try RouterHarness()
        let (socket, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: socket)
        harness.connect(clientID, from: socket)
        for number in 1...3 {
            harness.send(
                [["channel": "/a", "clientId": .string(clientID), "id": .string("\(number)"), "data": 1]], from: socket)
        }
        harness.advance(by: .seconds(5))
        harness.disconnect(clientID, from: socket)
        let found = try #require(Self.endings(harness).first)
        #expect(found.tag.text == String(clientID.prefix(8)))
        #expect(found.reason == .disconnect)
        #expect(found.endedAt - found.startedAt == 5000)
        #expect(found.transport == .websocket)
        #expect(found.lost == nil)
        #expect(found.publishedCount == 3)
        #expect(found.deliveredCount == 3)
        #expect(found.droppedCount == 0)
        #expect(found.waitingCount == 0)
        #expect(found.subscriptionCount == 1)
        #expect(Self.endings(harness, of: clientID) == [found])
    }

    @Test("A connection is lost and nobody comes back: both are told, with what still waited and what was dropped")
    func expired() throws {
        var limits = Limits()
        limits.queuedMessages = 2
        let harness = try RouterHarness(limits: limits)
        let (socket, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: socket)
        harness.advance(by: .seconds(1))
        harness.close(socket, because: .pong)
        let publisher = harness.socket()
        for _ in 1...5 { harness.publish(1, to: "/a", from: publisher) }
        harness.advance(by: .seconds(200))
        let found = try #require(Self.endings(harness, of: clientID).first)
        #expect(found.reason == .expired)
        #expect(found.lost?.reason == .pong)
        let lostAt = try #require(found.lost?.at)
        #expect(lostAt == found.startedAt + 1000)
        #expect(found.deliveredCount == 5)
        #expect(found.droppedCount == 3)
        #expect(found.waitingCount == 2)
    }

    @Test("Whoever comes back has lost nothing")
    func resumed() throws {
        let harness = try RouterHarness()
        let (socket, clientID) = harness.open()
        harness.close(socket, because: .slow)
        let second = harness.socket()
        harness.connect(clientID, from: second)
        harness.disconnect(clientID, from: second)
        #expect(Self.endings(harness).map(\.lost) == [nil])
    }

    @Test("A client of an event stream is one after its signs of life, too; another way to come is told as that")
    func eventStream() throws {
        let harness = try RouterHarness()
        let clientID = harness.handshake(harness.exchange())
        func connect(_ type: JSON) {
            harness.send(
                [["channel": "/meta/connect", "clientId": .string(clientID), "connectionType": type]],
                from: harness.exchange())
        }
        connect("eventsource")
        let stream = harness.stream(of: clientID)
        connect("eventsource")
        harness.close(stream, because: .slow)
        connect("eventsource")
        harness.advance(by: .seconds(200))
        let found = try #require(Self.endings(harness).first)
        #expect(found.transport == .eventsource)
        #expect(found.lost?.reason == .slow)

        let other = harness.handshake(harness.exchange())
        _ = harness.stream(of: other)
        harness.connect(other, from: harness.exchange())
        harness.advance(by: .seconds(200))
        #expect(Self.endings(harness).first?.transport == .http)
    }

    @Test("The administrator ends one; one that never connected expires; a stream ends with its connection")
    func others() throws {
        let harness = try RouterHarness()
        let (_, kicked) = harness.open()
        _ = harness.ask(.kick(try #require(SessionTag(kicked))))
        let idle = harness.handshake(harness.exchange())
        harness.advance(by: .seconds(200))
        let stream = try harness.stream(of: "/a", replay: nil)
        harness.close(stream, because: .shutdown)
        let found = Self.endings(harness)
        #expect(found.map(\.reason) == [.stream, .expired, .kicked])
        #expect(found.map(\.transport) == [.eventsource, .none, .websocket])
        #expect(found.map(\.lost?.reason) == [.shutdown, nil, nil])
        #expect(found[1].tag.text == String(idle.prefix(8)))
    }

    @Test("What has not ended, and what never was")
    func refusals() throws {
        let harness = try RouterHarness()
        let (_, clientID) = harness.open()
        let tag = try #require(SessionTag(clientID))
        #expect(harness.ask(.endings(tag, limit: 1)) == .notEnded(tag, isAlive: true))
        let unknown = try #require(SessionTag("zzzzzzzz"))
        #expect(harness.ask(.endings(unknown, limit: 1)) == .notEnded(unknown, isAlive: false))
        #expect(harness.ask(.endings(nil, limit: 1)) == .endings([]))
    }

    @Test("Only so many are remembered: the newest, each once", arguments: [0, 1, 3, 5, 8])
    func ring(capacity: Int) throws {
        var limits = Limits()
        limits.endedSessions = capacity
        let harness = try RouterHarness(limits: limits)
        var tags: [String] = []
        for _ in 0..<7 {
            let (socket, clientID) = harness.open()
            harness.disconnect(clientID, from: socket)
            tags.append(String(clientID.prefix(8)))
        }
        #expect(Self.endings(harness).map(\.tag.text) == tags.suffix(capacity).reversed())
        guard case .endings(let two) = harness.ask(.endings(nil, limit: 2)) else { return }
        #expect(two.map(\.tag.text) == tags.suffix(min(capacity, 2)).reversed())
    }
}

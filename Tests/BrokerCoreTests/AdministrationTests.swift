import BrokerCore
import Support
import Testing

/// What the administrator is told, and what he can end.
@Suite("The administrator")
struct AdministrationTests {
    private static let all = AdminPage(start: 0, limit: 1000)

    private static func tag(of clientID: String) throws -> SessionTag {
        try #require(SessionTag(clientID.prefix(8)))
    }

    @Test("Statistics count what there is and what has gone through")
    func statistics() throws {
        let harness = try RouterHarness()
        let (socket, clientID) = harness.open()
        harness.subscribe(clientID, to: ["/a", "/b/*"], from: socket)
        let waiting = harness.handshake(harness.exchange())
        harness.subscribe(waiting, to: "/a", from: harness.exchange())
        harness.publish(1, to: "/a", from: socket)
        harness.publish(2, to: "/nobody", from: socket)
        guard case .statistics(let found) = harness.ask(.statistics) else {
            Issue.record("no statistics")
            return
        }
        #expect(found.sessionCount == 2)
        #expect(found.subscriptionCount == 3)
        #expect(found.patternCount == 2)
        #expect(found.publishedCount == 2)
        #expect(found.deliveredCount == 2)
        #expect(found.queuedBytes == #"{"channel":"/a","data":1}"#.utf8.count)
    }

    struct Within: Sendable, CustomTestStringConvertible {
        var testDescription: String { pattern ?? "all" }
        let pattern: String?
        let found: [String]
    }
    static let within = [
        Within(pattern: nil, found: ["/**", "/a", "/a/*", "/a/b", "/a/b/c", "/ab"]),
        Within(pattern: "/a", found: ["/a"]),
        Within(pattern: "/a/*", found: ["/a/*", "/a/b"]),
        Within(pattern: "/a/**", found: ["/a/*", "/a/b", "/a/b/c"]),
        Within(pattern: "/**", found: ["/**", "/a", "/a/*", "/a/b", "/a/b/c", "/ab"]),
        Within(pattern: "/none/**", found: []),
    ]

    @Test("Channels within a pattern", arguments: within)
    func channels(row: Within) throws {
        let harness = try RouterHarness()
        let (socket, clientID) = harness.open()
        harness.subscribe(clientID, to: ["/a", "/ab", "/a/b", "/a/*", "/a/b/c", "/**"], from: socket)
        let pattern = try row.pattern.map { try ChannelPattern($0, grammar: .faye, maximumBytes: 100) }
        guard case .channels(let reports, nil) = harness.ask(.channels(within: pattern, Self.all)) else {
            Issue.record("no channels")
            return
        }
        #expect(reports.map(\.pattern).sorted() == row.found)
        #expect(reports.allSatisfy { $0.subscriberCount == 1 })
    }

    @Test("A list is read in parts, each item once", arguments: [1, 2, 3, 7, 10, 11])
    func pages(limit: Int) throws {
        let harness = try RouterHarness()
        let clientIDs = (0..<10).map { _ in harness.open().clientID }
        var found: [String] = []
        var start: Int? = 0
        while let place = start {
            guard case .sessions(let reports, let next) = harness.ask(.sessions(.init(start: place, limit: limit)))
            else { break }
            #expect(reports.count <= limit)
            found += reports.map(\.tag.text)
            start = next
        }
        #expect(found == clientIDs.map { String($0.prefix(8)) })
    }

    @Test("A page has its bounds")
    func bounds() {
        #expect(AdminPage(start: -1, limit: 0) == AdminPage(start: 0, limit: 1))
        #expect(AdminPage(start: 5, limit: 5000).limit == AdminPage.maximumCount)
        #expect(SessionTag("1234567") == nil)
    }

    @Test("A session is told by its tag, with its state and what it is subscribed to")
    func session() throws {
        let harness = try RouterHarness()
        let (socket, clientID) = harness.open()
        harness.subscribe(clientID, to: ["/b", "/a/*"], from: socket)
        let tag = try Self.tag(of: clientID)
        guard case .session(let report, let subscriptions) = harness.ask(.session(tag)) else {
            Issue.record("no session")
            return
        }
        #expect(subscriptions == ["/a/*", "/b"])
        #expect(report.state == .connected)
        #expect(report.tag.text.count == 8)
        #expect(report.timeLeft == .seconds(120))
        harness.close(socket)
        harness.publish(1, to: "/b", from: harness.socket())
        guard case .session(let away, _) = harness.ask(.session(tag)) else { return }
        #expect(away.state == .away)
        #expect(away.queuedMessageCount == 1)
        // The whole client id names it, too.
        let whole = try #require(SessionTag(clientID))
        #expect(harness.ask(.session(whole)) == harness.ask(.session(tag)))
        let unknown = try #require(SessionTag("zzzzzzzzzz"))
        #expect(harness.ask(.session(unknown)) == .unknown(unknown))
    }

    @Test("Who is kicked is told to stay away; nothing is left of the session")
    func kick() throws {
        let harness = try RouterHarness()
        let (socket, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: socket)
        harness.connect(clientID, from: socket)
        let tag = try Self.tag(of: clientID)
        #expect(harness.ask(.kick(tag)) == .kicked(tag))
        #expect(
            harness.take(socket) == [
                .reply([
                    "channel": "/meta/connect", "clientId": .string(clientID), "successful": false,
                    "advice": ["reconnect": "none"], "error": .string("410:\(clientID):Ended by the administrator"),
                ]), .close,
            ])
        #expect(harness.sessionCount == 0)
        #expect(harness.subscriptionCount == 0)
        #expect(harness.ask(.kick(tag)) == .unknown(tag))
    }

    @Test("An event stream of channels is kicked by closing it")
    func kickStream() throws {
        let harness = try RouterHarness()
        let stream = try harness.stream(of: "/a", replay: nil)
        guard case .sessions(let reports, nil) = harness.ask(.sessions(Self.all)), let report = reports.first else {
            Issue.record("no session")
            return
        }
        #expect(report.isStream)
        #expect(report.timeLeft == nil)
        #expect(harness.ask(.kick(report.tag)) == .kicked(report.tag))
        #expect(harness.take(stream) == [.open, .close])
    }
}

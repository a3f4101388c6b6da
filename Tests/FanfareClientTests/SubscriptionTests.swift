import NIOCore
import Support
import Testing

@testable import FanfareClient

/// What subscribers get: each message once, in order, over lost connections, forgotten sessions and new logs.
struct SubscriptionTests {
    private static func message(
        _ data: JSON, _ sequence: Int? = nil, on channel: String = "/a", epoch: String = "log"
    ) -> JSON {
        var members: [String: JSON] = ["channel": .string(channel), "data": data]
        if let sequence { members["ext"] = ["seq": .number(Double(sequence)), "epoch": .string(epoch)] }
        return .object(members)
    }

    private static func data(_ buffer: MessageBuffer) async throws -> [String] {
        buffer.finish(nil)
        var all: [String] = []
        while let messages = try await buffer.take() {
            all += messages.map { $0.gap == nil ? String(decoding: $0.data, as: UTF8.self) : "gap" }
        }
        return all
    }

    private static func subscription(_ harness: SessionHarness) -> JSON? {
        harness.take().last { $0["channel"] == "/meta/subscribe" }
    }

    @Test
    func onceOverLostConnections() async throws {
        let harness = try SessionHarness()
        harness.establish()
        let buffer = try harness.subscribe("/a").buffer
        harness.answer("/meta/subscribe", [:])
        harness.receive(Self.message(1, 1), Self.message("unstored"), Self.message(2, 2))
        harness.lose()
        harness.waitForDial()
        harness.open()
        harness.answer("/meta/connect", [:])
        // The broker does not know what came, and sends it again.
        harness.receive(Self.message(2, 2), Self.message(3, 3))
        #expect(try await Self.data(buffer) == ["1", "\"unstored\"", "2", "3"])
    }

    /// The broker takes a subscription away: its reader gets what came before, then why; others go on.
    @Test
    func takenAway() async throws {
        let harness = try SessionHarness()
        harness.establish()
        let lost = try harness.subscribe("/a", "/b").buffer
        harness.answer("/meta/subscribe", [:])
        let kept = try harness.subscribe("/b").buffer
        harness.answer("/meta/subscribe", [:])
        _ = harness.take()
        harness.receive(
            Self.message(1),
            [
                "channel": "/meta/unsubscribe", "successful": true, "clientId": "one", "subscription": "/a",
                "error": "403:/a:Subscription denied",
            ], Self.message(2, on: "/b"))
        #expect(try await lost.take()?.map { String(decoding: $0.data, as: UTF8.self) } == ["1"])
        let error = await #expect(throws: ClientError.self) { try await lost.take() }
        #expect(error?.code == 403)
        // The other one needs `/b`.
        #expect(harness.take().isEmpty)
        #expect(try await Self.data(kept) == ["2"])
    }

    /// A broker goes on with a replay that was cut off, and may repeat some of it: it is not asked for again, and nothing
    /// is taken twice.
    @Test
    func replayThatWasCutOff() async throws {
        let harness = try SessionHarness()
        harness.establish()
        let buffer = try harness.subscribe("/a", start: .after(5)).buffer
        harness.answer("/meta/subscribe", [:])
        harness.receive(Self.message(6, 6), Self.message(7, 7))
        harness.lose()
        harness.waitForDial()
        harness.open()
        harness.answer("/meta/connect", [:])
        #expect(Self.subscription(harness) == nil)
        harness.receive(Self.message("unstored"))
        for number in [6, 7, 8, 9, 10, 9, 10, 11, 12, 13] {
            harness.receive(Self.message(.number(Double(number)), number))
        }
        #expect(try await Self.data(buffer) == ["6", "7", "\"unstored\"", "8", "9", "10", "11", "12", "13"])
    }

    struct Start: CustomTestStringConvertible, Sendable {
        var testDescription: String { "\(start)" }
        let start: ReplayStart
        let replay: JSON
        /// What is asked for of a new session, when a message with the number 9 has come.
        var later: JSON = ["replay": ["/a": 9]]
    }
    static let starts = [
        Start(start: .retained, replay: nil), Start(start: .new, replay: ["replay": ["/a": -1]]),
        Start(start: .everything, replay: ["replay": ["/a": -2]]),
        Start(start: .after(5), replay: ["replay": ["/a": 5]]),
        Start(start: .after(5, epoch: "log"), replay: ["replay": ["/a": 5]]),
    ]

    @Test(arguments: starts)
    func whereItBegins(row: Start) throws {
        let harness = try SessionHarness()
        harness.establish()
        _ = try harness.subscribe("/a", start: row.start)
        #expect((Self.subscription(harness)?["ext"] ?? nil) == row.replay)
        harness.answer("/meta/subscribe", [:])
        harness.receive(Self.message(0, 9))
        harness.lose()
        harness.waitForDial()
        harness.open()
        harness.answer("/meta/connect", ["advice": ["reconnect": "handshake"]], successful: false)
        harness.acceptHandshake("two")
        #expect(Self.subscription(harness)?["ext"] == row.later)
    }

    /// Its numbers mean another log: all of that is asked for, and nothing of it is lost or told twice.
    @Test
    func anotherLog() async throws {
        let harness = try SessionHarness()
        harness.establish()
        let buffer = try harness.subscribe("/a", start: .after(7, epoch: "old")).buffer
        harness.answer("/meta/subscribe", [:])
        _ = harness.take()
        harness.receive(Self.message("early", 3, epoch: "new"))
        #expect(Self.subscription(harness)?["ext"] == ["replay": ["/a": -2]])
        harness.answer("/meta/subscribe", [:])
        for number in 1...3 { harness.receive(Self.message(.number(Double(number)), number, epoch: "new")) }
        #expect(try await Self.data(buffer) == ["1", "2", "3"])
    }

    @Test
    func severalGroups() async throws {
        let harness = try SessionHarness()
        harness.establish()
        let (first, one, _) = try harness.subscribe("/a", "/b/*")
        harness.answer("/meta/subscribe", [:])
        let (_, two, _) = try harness.subscribe("/**")
        harness.answer("/meta/subscribe", [:])
        harness.receive(Self.message(1), Self.message(2, on: "/b/c"), Self.message(3, on: "/c"))
        harness.receive(["channel": "/b/*", "ext": ["gap": ["from": 1, "to": 3, "count": 2]]])
        let (done, isDone) = harness.promise(Void.self)
        harness.core.sendUnsubscribe(first, done)
        #expect(
            harness.take().last == ["channel": "/meta/unsubscribe", "clientId": "one", "subscription": ["/a", "/b/*"]])
        harness.answer("/meta/unsubscribe", [:])
        #expect(throws: Never.self) { try isDone.outcome?.get() }
        #expect(isDone.outcome != nil)
        harness.receive(Self.message(4))
        #expect(try await Self.data(one) == ["1", "2", "gap"])
        #expect(try await Self.data(two) == ["1", "2", "3", "4"])
    }

    @Test
    func refusedSubscription() async throws {
        let harness = try SessionHarness()
        harness.establish()
        let kept = try harness.subscribe("/b").buffer
        harness.answer("/meta/subscribe", [:])
        let (_, buffer, answered) = try harness.subscribe("/c", "/a", "/b")
        harness.answer("/meta/subscribe", ["error": "403:/a:no"], successful: false)
        #expect(throws: ClientError.refused("403:/a:no")) { try answered.outcome?.get() }
        await #expect(throws: ClientError.refused("403:/a:no")) { try await buffer.take() }
        // The broker has taken the ones before it: they are given up, and nobody else gets what still comes of them.
        #expect(
            harness.take().last == ["channel": "/meta/unsubscribe", "clientId": "one", "subscription": ["/c", "/a"]])
        harness.receive(Self.message(1, on: "/c"), Self.message(2, on: "/b"))
        harness.answer("/meta/unsubscribe", [:])
        #expect(try await Self.data(kept) == ["2"])
    }

    /// There is no other token to be had.
    @Test
    func refusedToken() async throws {
        let harness = try SessionHarness()
        harness.establish()
        let (_, buffer, answered) = try harness.subscribe("/a")
        harness.answer("/meta/subscribe", ["error": "401::Token expired"], successful: false)
        #expect(throws: ClientError.refused("401::Token expired")) { try answered.outcome?.get() }
        await #expect(throws: ClientError.refused("401::Token expired")) { try await buffer.take() }
        #expect(harness.core.phase == .open)
        harness.core.end(nil)
    }

    /// The broker has forgotten the session: the next one has the subscription.
    @Test
    func refusedSession() throws {
        let unknown: [String: JSON] = ["error": "401:one:Unknown client", "advice": ["reconnect": "handshake"]]
        let harness = try SessionHarness()
        harness.establish()
        let answered = try harness.subscribe("/a").answered
        harness.answer("/meta/subscribe", unknown, successful: false)
        #expect(answered.outcome == nil)
        harness.answer("/meta/connect", unknown, successful: false)
        harness.acceptHandshake("two")
        harness.answer("/meta/subscribe", [:])
        #expect(throws: Never.self) { try answered.outcome?.get() }
        #expect(answered.outcome != nil)
        harness.core.end(nil)
        // One that does not end does not hold it up without end.
        let other = try SessionHarness()
        other.establish()
        let refused = try other.subscribe("/a").answered
        other.answer("/meta/subscribe", unknown, successful: false)
        other.advance(.seconds(60))
        #expect(throws: ClientError.refused("401:one:Unknown client")) { try refused.outcome?.get() }
        other.core.end(nil)
    }

    /// What a later subscription asks for of the past is not given to one that has it.
    @Test
    func replayForAnotherGroup() async throws {
        let harness = try SessionHarness()
        harness.establish()
        let first = try harness.subscribe("/a").buffer
        harness.answer("/meta/subscribe", [:])
        harness.receive(Self.message(5, 5))
        let second = try harness.subscribe("/a", start: .everything).buffer
        // It is the first one's; the second one gets it from the log.
        harness.receive(Self.message(6, 6))
        harness.answer("/meta/subscribe", [:])
        for number in 4...7 { harness.receive(Self.message(.number(Double(number)), number)) }
        #expect(try await Self.data(first) == ["5", "6", "7"])
        #expect(try await Self.data(second) == ["4", "5", "6", "7"])
    }

    /// Who wants nothing of the past gets none that is replayed for others.
    @Test
    func pastOfAnotherGroup() async throws {
        let harness = try SessionHarness()
        harness.establish()
        let first = try harness.subscribe("/a").buffer
        harness.answer("/meta/subscribe", [:])
        harness.receive(Self.message(5, 5))
        let new = try harness.subscribe("/*", start: .new).buffer
        harness.answer("/meta/subscribe", [:])
        let all = try harness.subscribe("/b", start: .everything).buffer
        harness.answer("/meta/subscribe", [:])
        for number in [3, 4, 6] { harness.receive(Self.message(.number(Double(number)), number, on: "/b")) }
        #expect(try await Self.data(first) == ["5"])
        #expect(try await Self.data(new) == ["6"])
        #expect(try await Self.data(all) == ["3", "4", "6"])
    }

    /// What has no number, as with other brokers, may come before the answer.
    @Test
    func messageBeforeTheAnswer() async throws {
        let harness = try SessionHarness()
        harness.establish()
        let buffer = try harness.subscribe("/a").buffer
        harness.receive(Self.message("early"))
        harness.answer("/meta/subscribe", [:])
        #expect(try await Self.data(buffer) == [#""early""#])
    }

    /// Each group's past is replayed for itself, and numbers grow within a channel only.
    @Test
    func replaysThatOverlap() async throws {
        func retained(_ sequence: Int, on channel: String) -> JSON {
            let ext: JSON = ["seq": .number(Double(sequence)), "epoch": "log", "retained": true]
            return ["channel": .string(channel), "data": .number(Double(sequence)), "ext": ext]
        }
        let harness = try SessionHarness()
        harness.establish()
        let one = try harness.subscribe("/config/theme").buffer
        harness.answer("/meta/subscribe", [:])
        let all = try harness.subscribe("/config/**").buffer
        harness.answer("/meta/subscribe", [:])
        harness.receive(retained(90, on: "/config/theme"))
        harness.receive(retained(10, on: "/config/a"), retained(90, on: "/config/theme"))
        _ = harness.take()
        // Another session goes on behind the highest number, and takes nothing for a group before its answer.
        harness.lose()
        harness.waitForDial()
        harness.open()
        harness.answer("/meta/connect", ["advice": ["reconnect": "handshake"]], successful: false)
        harness.acceptHandshake("two")
        let asked = harness.take().filter { $0["channel"] == "/meta/subscribe" }.compactMap { $0["ext"]?["replay"] }
        #expect(asked == [["/config/theme": 90], ["/config/**": 90]])
        harness.receive(Self.message(92, 92, on: "/config/a"))
        harness.answer("/meta/subscribe", [:])
        harness.answer("/meta/subscribe", [:])
        harness.receive(Self.message(93, 93, on: "/config/theme"))
        harness.receive(Self.message(91, 91, on: "/config/a"), Self.message(92, 92, on: "/config/a"))
        #expect(try await Self.data(one) == ["90", "93"])
        #expect(try await Self.data(all) == ["90", "10", "93", "91", "92"])
    }

    /// What the broker retains for a second group of a channel is not given to the first one again.
    @Test
    func retainedForAnotherGroup() async throws {
        let retained: JSON = ["channel": "/a", "data": 1, "ext": ["seq": 1, "epoch": "log", "retained": true]]
        let harness = try SessionHarness()
        harness.establish()
        let first = try harness.subscribe("/a").buffer
        harness.answer("/meta/subscribe", [:])
        harness.receive(retained)
        let second = try harness.subscribe("/a").buffer
        harness.answer("/meta/subscribe", [:])
        harness.receive(retained)
        #expect(try await Self.data(first) == ["1"])
        #expect(try await Self.data(second) == ["1"])
    }

    /// The connection is lost before a new session has answered: it is asked again.
    @Test
    func answerThatIsLost() async throws {
        let harness = try SessionHarness()
        harness.establish()
        let buffer = try harness.subscribe("/a").buffer
        harness.answer("/meta/subscribe", [:])
        harness.receive(Self.message(1, 1))
        harness.lose()
        harness.waitForDial()
        harness.open()
        harness.answer("/meta/connect", ["advice": ["reconnect": "handshake"]], successful: false)
        harness.acceptHandshake("two")
        harness.lose()
        harness.waitForDial()
        harness.open()
        harness.answer("/meta/connect", [:])
        #expect(Self.subscription(harness)?["ext"] == ["replay": ["/a": 1]])
        harness.answer("/meta/subscribe", [:])
        harness.receive(Self.message(2, 2))
        #expect(try await Self.data(buffer) == ["1", "2"])
    }

    /// What is known of channels is bounded: the one of which nothing has come for longest is forgotten.
    @Test
    func seenNumbers() {
        var seen = SeenNumbers()
        let count = SeenNumbers.generationCount
        let numbers = Array(1...2 * count + 1)
        let areNew = numbers.map { seen.advance("/\($0)", to: UInt64($0)) }
        #expect(areNew.allSatisfy { $0 })
        let again = [2 * count + 1, count + 1, 1].map { seen.advance("/\($0)", to: 1) }
        #expect(again == [false, false, true])
    }

    /// A session that goes on does not keep what was given up while there was no connection, or when it was lost.
    @Test
    func givenUpWhileAway() throws {
        let harness = try SessionHarness()
        harness.establish()
        let groups = try ["/asked", "/away", "/again"].map { channel in
            let group = try harness.subscribe(channel).group
            harness.answer("/meta/subscribe", [:])
            return group
        }
        let (asked, isAsked) = harness.promise(Void.self)
        harness.core.sendUnsubscribe(groups[0], asked)
        harness.lose()
        #expect(throws: Never.self) { try isAsked.outcome?.get() }
        #expect(isAsked.outcome != nil)
        for group in groups[1...] {
            let (done, isDone) = harness.promise(Void.self)
            harness.core.sendUnsubscribe(group, done)
            #expect(isDone.outcome != nil)
        }
        let again = try harness.subscribe("/again").group
        harness.waitForDial()
        harness.open()
        harness.answer("/meta/connect", [:])
        #expect(
            harness.take().prefix(2) == [
                ["channel": "/meta/unsubscribe", "clientId": "one", "subscription": ["/asked", "/away"]],
                ["channel": "/meta/subscribe", "clientId": "one", "subscription": ["/again"]],
            ])
        harness.answer("/meta/unsubscribe", [:])
        harness.answer("/meta/subscribe", [:])
        // A new session does not have it.
        harness.lose()
        let (done, _) = harness.promise(Void.self)
        harness.core.sendUnsubscribe(again, done)
        harness.waitForDial()
        harness.open()
        harness.answer("/meta/connect", ["advice": ["reconnect": "handshake"]], successful: false)
        harness.acceptHandshake("two")
        harness.answer("/meta/connect", [:])
        #expect(!harness.take().contains { $0["channel"] == "/meta/unsubscribe" })
    }

    /// What nobody will read any more does not count.
    @Test
    func unreadMessages() throws {
        let harness = try SessionHarness()
        harness.establish()
        do {
            let group = try harness.subscribe("/a").group
            harness.answer("/meta/subscribe", [:])
            harness.receive(Self.message("unread"))
            #expect(harness.shared.bufferedBytes > 0)
            let (done, _) = harness.promise(Void.self)
            harness.core.sendUnsubscribe(group, done)
            harness.answer("/meta/unsubscribe", [:])
        }
        #expect(harness.shared.bufferedBytes == 0)
    }

    /// A subscriber that does not read holds up the connection, not the memory; but nobody waits for an answer for ever.
    @Test
    func slowReader() async throws {
        let harness = try SessionHarness { $0.maximumBufferedBytes = 100 }
        harness.establish()
        let buffer = try harness.subscribe("/a").buffer
        harness.answer("/meta/subscribe", [:])
        harness.receive(Self.message("short"))
        #expect(!harness.transport.isPaused)
        let long = Self.message(.string(String(repeating: "x", count: 100)))
        harness.receive(long)
        #expect(harness.transport.isPaused)
        // The reader may be the one who waits for an answer, which is behind what was not read.
        let outcomes = harness.publish([FanfareClient.Publication(Array("1".utf8), to: "/b")])
        #expect(!harness.transport.isPaused)
        harness.receive(long)
        #expect(!harness.transport.isPaused)
        let id = try #require(harness.lastID("/b"))
        harness.receive(["channel": "/b", "id": id, "successful": true])
        #expect(outcomes.list?.count == 1)
        #expect(harness.transport.isPaused)
        _ = harness.publish([FanfareClient.Publication(Array("1".utf8), to: "/b")])
        #expect(!harness.transport.isPaused)
        // Not without end, whoever waits.
        for _ in 0..<6 { harness.receive(long) }
        #expect(harness.transport.isPaused)
        _ = try await buffer.take()
        harness.core.resumeReading()
        #expect(!harness.transport.isPaused)
        harness.receive(["channel": "/b", "id": try #require(harness.lastID("/b")), "successful": true])
        harness.receive(long)
        harness.receive(long)
        #expect(harness.transport.isPaused)
        let (group, _, _) = try harness.subscribe("/c")
        #expect(!harness.transport.isPaused)
        harness.answer("/meta/subscribe", [:])
        #expect(harness.transport.isPaused)
        let (done, _) = harness.promise(Void.self)
        harness.core.sendUnsubscribe(group, done)
        #expect(!harness.transport.isPaused)
        harness.answer("/meta/unsubscribe", [:])
        #expect(harness.transport.isPaused)
        _ = try await buffer.take()
        harness.core.resumeReading()
        #expect(!harness.transport.isPaused)
    }

    @Test
    func bufferStates() async throws {
        let buffer = MessageBuffer(added: { _ in }, taken: { _ in })
        // One reader at a time: the second one gets nothing.
        async let first = buffer.take()
        buffer.finish(nil)
        #expect(try await first == nil)
        #expect(try await buffer.take() == nil)
        let failed = MessageBuffer(added: { _ in }, taken: { _ in })
        failed.finish(.clientClosed)
        failed.finish(nil)
        await #expect(throws: ClientError.clientClosed) { try await failed.take() }
        let cancelled = MessageBuffer(added: { _ in }, taken: { _ in })
        let task = Task { try await cancelled.take() }
        task.cancel()
        #expect(try await task.value == nil)
    }

    /// The log has started anew while no session is there that could be asked: the next one asks.
    @Test
    func otherLogBetweenTwoSessions() throws {
        let harness = try SessionHarness()
        harness.establish()
        _ = try harness.subscribe("/a")
        harness.answer("/meta/subscribe", [:])
        harness.receive(Self.message(1, 7))
        _ = harness.take()
        harness.answer(
            "/meta/connect", ["advice": ["reconnect": "handshake", "interval": 5000]], successful: false)
        harness.receive(Self.message(2, 1, epoch: "new"))
        #expect(harness.take() == [])
        harness.advance(.seconds(5))
        _ = harness.take()
        harness.acceptHandshake("two")
        #expect(Self.subscription(harness)?["ext"] == ["replay": ["/a": -2]])
    }
}

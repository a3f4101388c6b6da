import NIOCore
import Support
import Testing

@testable import FanfareClient

/// Answers that do not come, while the connects go on.
struct DeadlineTests {
    private static let document = FanfareClient.Publication(Array("1".utf8), to: "/a")

    private static func unanswered(_ what: String) -> ClientError { .unanswered(what, after: .seconds(60)) }

    private static func established() throws -> SessionHarness {
        let harness = try SessionHarness()
        harness.establish()
        return harness
    }

    /// The connection is lost, and the session goes on over another one.
    private static func resume(_ harness: SessionHarness) {
        harness.lose()
        harness.waitForDial()
        harness.open()
        harness.answer("/meta/connect", [:])
    }

    @Test
    func publication() throws {
        let harness = try Self.established()
        let first = harness.publish([Self.document])
        harness.advance(.seconds(30))
        let second = harness.publish([Self.document])
        harness.advance(.milliseconds(29_999))
        #expect(first.list == nil)
        harness.advance(.milliseconds(1))
        #expect(throws: Self.unanswered("the publication to /a")) { try first.list?.first?.get() }
        // Each has a time of its own, and what is late means nothing any more.
        harness.receive(["channel": "/a", "id": "p0", "successful": true])
        harness.advance(.milliseconds(29_999))
        #expect(second.list == nil)
        harness.advance(.milliseconds(1))
        #expect(throws: Self.unanswered("the publication to /a")) { try second.list?.first?.get() }
        #expect(harness.core.phase == .open)
        let third = harness.publish([Self.document])
        harness.receive(["channel": "/a", "id": "p2", "successful": true])
        #expect(throws: Never.self) { try third.list?.first?.get() }
        #expect(third.list != nil)
        Self.resume(harness)
        #expect(harness.take().allSatisfy { $0["channel"] != "/a" })
        harness.core.end(nil)
    }

    /// Many on a slow line: as long as answers come, none fails.
    @Test
    func slowLine() throws {
        let harness = try Self.established()
        let outcomes = harness.publish([Self.document, Self.document, Self.document])
        for number in 0..<2 {
            harness.advance(.milliseconds(59_999))
            harness.receive(["channel": "/a", "id": "p\(number)", "successful": true])
        }
        harness.advance(.milliseconds(59_999))
        #expect(outcomes.list == nil)
        harness.advance(.milliseconds(1))
        let list = try #require(outcomes.list)
        #expect(throws: Never.self) { try list[1].get() }
        #expect(throws: Self.unanswered("the publication to /a")) { try list[2].get() }
        harness.core.end(nil)
    }

    /// The window is free again for those behind it; those that were answered in between do not fail.
    @Test
    func window() throws {
        let harness = try SessionHarness { $0.window = 2 }
        harness.establish()
        let outcomes = harness.publish([Self.document, Self.document, Self.document])
        #expect(harness.take().count == 2)
        harness.receive(["channel": "/a", "id": "p1", "successful": true])
        harness.advance(.seconds(60))
        #expect(harness.take().count == 1)
        harness.receive(["channel": "/a", "id": "p2", "successful": true])
        let list = try #require(outcomes.list)
        #expect(throws: Self.unanswered("the publication to /a")) { try list[0].get() }
        #expect(throws: Never.self) { try list[1].get() }
        #expect(throws: Never.self) { try list[2].get() }
        harness.core.end(nil)
    }

    /// Who publishes again under the same id gets the answer.
    @Test
    func ownID() throws {
        let harness = try Self.established()
        var publication = Self.document
        publication.id = "mine"
        let first = harness.publish([publication])
        harness.advance(.seconds(60))
        #expect(throws: Self.unanswered("the publication to /a")) { try first.list?.first?.get() }
        let second = harness.publish([publication])
        harness.receive(["channel": "/a", "id": "mine", "successful": true])
        #expect(throws: Never.self) { try second.list?.first?.get() }
        #expect(second.list != nil)
        harness.core.end(nil)
    }

    /// The broker may have it: it is ended there as well.
    @Test
    func subscription() async throws {
        let harness = try Self.established()
        let (_, buffer, answered) = try harness.subscribe("/a", "/b")
        _ = harness.take()
        harness.advance(.milliseconds(59_999))
        #expect(answered.outcome == nil)
        harness.advance(.milliseconds(1))
        let error = Self.unanswered("the subscription to /a, /b")
        #expect(throws: error) { try answered.outcome?.get() }
        await #expect(throws: error) { try await buffer.take() }
        #expect(
            harness.take() == [["channel": "/meta/unsubscribe", "clientId": "one", "subscription": ["/a", "/b"]]])
        #expect(harness.core.phase == .open)
        harness.core.end(nil)
    }

    @Test
    func request() throws {
        let harness = try Self.established()
        let answer = harness.request()
        harness.advance(.milliseconds(59_999))
        #expect(answer.outcome == nil)
        harness.advance(.milliseconds(1))
        #expect(throws: Self.unanswered("the request to /service/x")) { try answer.outcome?.get() }
        harness.core.end(nil)
    }

    /// Nobody needs the answer; a session that goes on is told once more.
    @Test
    func endOfASubscription() throws {
        let harness = try Self.established()
        let group = try harness.subscribe("/a").group
        harness.answer("/meta/subscribe", [:])
        let (done, isDone) = harness.promise(Void.self)
        harness.core.sendUnsubscribe(group, done)
        harness.advance(.seconds(60))
        #expect(throws: Never.self) { try isDone.outcome?.get() }
        #expect(isDone.outcome != nil)
        Self.resume(harness)
        #expect(
            harness.take().first == ["channel": "/meta/unsubscribe", "clientId": "one", "subscription": ["/a"]])
        harness.core.end(nil)
    }

    /// Without an answer to its handshake a connection is of no use.
    @Test
    func handshake() throws {
        let harness = try SessionHarness()
        let ready = harness.begin()
        harness.open()
        harness.advance(.milliseconds(59_999))
        #expect(harness.transport.failure == nil)
        harness.advance(.milliseconds(1))
        let failure = try #require(harness.transport.failure)
        #expect(failure == Self.unanswered("the handshake"))
        harness.core.connectionClosed(failure)
        #expect(throws: failure) { try ready.outcome?.get() }
        #expect(harness.core.phase == .closed)
    }

    /// The broker holds a connect for as long as it likes; and without a deadline everything waits.
    @Test
    func whatHasNone() throws {
        let harness = try SessionHarness { $0.answerTimeout = nil }
        harness.establish()
        let outcomes = harness.publish([Self.document])
        harness.advance(.hours(2))
        #expect(outcomes.list == nil)
        harness.core.end(nil)
        let idle = try Self.established()
        idle.advance(.hours(2))
        #expect(idle.core.phase == .open)
        #expect(idle.transport.failure == nil)
        idle.core.end(nil)
    }

    /// Another connection is another chance, and while there is none no time goes by.
    @Test
    func lostConnection() throws {
        let harness = try Self.established()
        let outcomes = harness.publish([Self.document])
        let answered = try harness.subscribe("/a").answered
        harness.advance(.seconds(59))
        harness.lose()
        harness.advance(.hours(2))
        harness.open()
        harness.answer("/meta/connect", [:])
        harness.advance(.seconds(59))
        #expect(outcomes.list == nil)
        #expect(answered.outcome == nil)
        harness.advance(.seconds(1))
        #expect(throws: Self.unanswered("the publication to /a")) { try outcomes.list?.first?.get() }
        #expect(throws: Self.unanswered("the subscription to /a")) { try answered.outcome?.get() }
        harness.core.end(nil)
    }

    /// What was asked in a session that the broker has forgotten is asked in the next one.
    @Test
    func forgottenSession() throws {
        let harness = try Self.established()
        let answered = try harness.subscribe("/a").answered
        harness.advance(.seconds(30))
        harness.answer(
            "/meta/connect", ["error": "401:one:Unknown client", "advice": ["reconnect": "handshake"]],
            successful: false)
        harness.acceptHandshake("two")
        harness.advance(.seconds(59))
        #expect(answered.outcome == nil)
        harness.answer("/meta/subscribe", [:])
        #expect(throws: Never.self) { try answered.outcome?.get() }
        #expect(answered.outcome != nil)
        _ = harness.take()
        harness.advance(.seconds(60))
        #expect(harness.take() == [])
        harness.core.end(nil)
    }

    /// The answer may be behind what was not read.
    @Test
    func slowReader() async throws {
        let harness = try SessionHarness { $0.maximumBufferedBytes = 100 }
        harness.establish()
        let buffer = try harness.subscribe("/a").buffer
        harness.answer("/meta/subscribe", [:])
        let outcomes = harness.publish([Self.document])
        for _ in 0..<9 {
            harness.receive(["channel": "/a", "data": .string(String(repeating: "x", count: 100))])
        }
        #expect(harness.transport.isPaused)
        harness.advance(.hours(2))
        #expect(outcomes.list == nil)
        _ = try await buffer.take()
        harness.core.resumeReading()
        #expect(!harness.transport.isPaused)
        harness.advance(.seconds(59))
        #expect(outcomes.list == nil)
        harness.advance(.seconds(1))
        #expect(throws: Self.unanswered("the publication to /a")) { try outcomes.list?.first?.get() }
        harness.core.end(nil)
    }
}

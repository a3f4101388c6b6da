import Foundation
import NIOCore
import Support
import Testing

@testable import FanfareClient

/// A session whose tokens come from a source.
struct TokenSourceTests {
    private static func harness() throws -> SessionHarness {
        try SessionHarness { $0.tokenSource = TokenSource { preconditionFailure("The harness answers.") } }
    }

    /// A token that is good for some seconds; nobody looks at its signature.
    private static func token(seconds: Double, name: String = "a") -> String {
        let claims = Data(#"{"sub":"\#(name)","exp":\#(Date().timeIntervalSince1970 + seconds)}"#.utf8)
        let base64 = claims.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
        return "e30.\(base64.replacing("=", with: "")).x"
    }

    /// An open session with a token.
    private static func established(seconds: Double) throws -> SessionHarness {
        let harness = try harness()
        harness.core.start()
        harness.open()
        harness.core.tokenFetched(token(seconds: seconds))
        harness.acceptHandshake()
        _ = harness.take()
        return harness
    }

    /// The same with a subscription that the broker has refused for the token.
    private static func refusedSubscription() throws -> (SessionHarness, SessionHarness.Result<Void>) {
        let harness = try established(seconds: 1000)
        let answered = try harness.subscribe("/a").answered
        harness.answer("/meta/subscribe", expiry, successful: false)
        return (harness, answered)
    }

    @Test
    func handshakeWaitsForIt() throws {
        let harness = try Self.harness()
        harness.core.start()
        #expect(harness.tokenCount == 0)
        #expect(harness.open() == [])
        #expect(harness.tokenCount == 1)
        harness.core.tokenFetched("first")
        #expect(harness.take().map { $0["ext"] } == [["token": "first"]])
        harness.acceptHandshake()
        // It was shown already.
        #expect(harness.take().map { $0["ext"] } == [nil])
        // It does not say when it ends.
        harness.advance(.hours(100))
        #expect(harness.tokenCount == 1)
    }

    @Test(arguments: 0..<20)
    func renewedInTime(round: Int) throws {
        let harness = try Self.established(seconds: 1000)
        harness.advance(.seconds(795))
        #expect(harness.tokenCount == 1)
        harness.advance(.seconds(156))
        #expect(harness.tokenCount == 2)
        let old = try #require(
            harness.core.requests.first { if case .connect = $0.value.kind { true } else { false } }?.key)
        harness.core.tokenFetched("second")
        let sent = harness.take()
        #expect(sent.map { $0["channel"] } == ["/meta/connect"])
        #expect(sent.map { $0["ext"] } == [["token": "second"]])
        // The connect that was held is answered for the new one, and must not begin another one.
        harness.receive(["channel": "/meta/connect", "clientId": "one", "successful": true, "id": .string(old)])
        #expect(harness.take() == [])
        harness.answer("/meta/connect", ["clientId": "one"])
        #expect(harness.take().map { $0["ext"] } == [nil])
        #expect(harness.core.phase == .open)
    }

    @Test
    func whileTheConnectionIsLost() throws {
        let harness = try Self.established(seconds: 1000)
        harness.lose()
        harness.core.tokenFetched("second")
        #expect(harness.take() == [])
        harness.waitForDial()
        #expect(harness.open().map { $0["ext"] } == [["token": "second"]])
    }

    @Test
    func sourceThatFails() throws {
        let harness = try Self.harness()
        harness.core.start()
        harness.open()
        for attempt in 1...3 {
            #expect(harness.tokenCount == attempt)
            harness.core.tokenFailed(CancellationError())
            harness.advance(.milliseconds(4999))
            #expect(harness.tokenCount == attempt)
            harness.advance(.milliseconds(5002))
        }
        harness.core.tokenFetched("at last")
        #expect(harness.take().map { $0["ext"] } == [["token": "at last"]])
    }

    @Test
    func noneToBeHad() throws {
        let harness = try Self.harness()
        let ready = harness.begin()
        harness.open()
        harness.core.tokenFailed(TokenSource.Unauthorized("log in first"))
        #expect(harness.core.phase == .closed)
        harness.advance(.hours(1))
        #expect(harness.tokenCount == 1)
        guard case .failure(let error as ClientError)? = ready.outcome else {
            Issue.record("It is still waited for.")
            return
        }
        #expect(error.kind == .denied)
        #expect(error.description == "log in first")
    }

    @Test("The broker refuses tokens: others are fetched, but not for ever")
    func refused() throws {
        let harness = try Self.harness()
        harness.core.start()
        harness.open()
        for attempt in 1...4 {
            #expect(harness.tokenCount == attempt)
            harness.core.tokenFetched("bad")
            harness.answer(
                "/meta/handshake", ["error": "401::Token expired", "advice": ["reconnect": "none"]], successful: false)
            harness.advance(.seconds(20))
        }
        #expect(harness.tokenCount == 4)
        #expect(harness.core.phase == .closed)
    }

    @Test("It expired in an open session")
    func expired() throws {
        let harness = try Self.established(seconds: 1000)
        harness.answer(
            "/meta/connect", ["error": "401::Token expired", "advice": ["reconnect": "handshake"]], successful: false)
        harness.advance(.seconds(20))
        #expect(harness.tokenCount == 2)
        harness.core.tokenFetched("second")
        #expect(harness.take().map { $0["ext"] } == [["token": "second"]])
    }

    private static let expiry: [String: JSON] = ["error": "401::Token expired"]

    @Test("A subscription is refused for it, and the connect goes on: it is asked for once more")
    func refusedSubscription() throws {
        let harness = try Self.established(seconds: 1000)
        let answered = try harness.subscribe("/a", start: .new).answered
        _ = harness.take()
        harness.answer("/meta/subscribe", Self.expiry, successful: false)
        #expect(harness.tokenCount == 2)
        #expect(answered.outcome == nil)
        #expect(harness.take() == [])
        harness.core.tokenFetched("second")
        let sent = harness.take()
        #expect(sent.map { $0["channel"] } == ["/meta/connect", "/meta/subscribe"])
        #expect(sent.map { $0["ext"] } == [["token": "second"], ["replay": ["/a": -1], "token": "second"]])
        harness.answer("/meta/subscribe", [:])
        #expect(throws: Never.self) { try answered.outcome?.get() }
        #expect(answered.outcome != nil)
        harness.advance(.seconds(60))
        // When it is refused later it has another chance.
        #expect(harness.core.groups.map(\.tokenTrial) == [.untried])
        harness.core.end(nil)
    }

    @Test
    func subscriptionRefusedTwice() throws {
        let (harness, answered) = try Self.refusedSubscription()
        harness.core.tokenFetched("second")
        #expect(answered.outcome == nil)
        harness.answer("/meta/subscribe", Self.expiry, successful: false)
        #expect(harness.tokenCount == 2)
        #expect(throws: ClientError.refused("401::Token expired")) { try answered.outcome?.get() }
        #expect(harness.core.phase == .open)
        harness.core.end(nil)
    }

    /// The source takes its time; a subscription has its own.
    @Test
    func noTokenForASubscription() throws {
        let (harness, answered) = try Self.refusedSubscription()
        harness.advance(.milliseconds(59_999))
        #expect(answered.outcome == nil)
        harness.advance(.milliseconds(1))
        #expect(throws: ClientError.refused("401::Token expired")) { try answered.outcome?.get() }
        _ = harness.take()
        harness.core.tokenFetched("second")
        #expect(harness.take().map { $0["channel"] } == ["/meta/connect"])
        harness.core.end(nil)
    }

    /// The new token comes while there is no connection.
    @Test
    func refusedSubscriptionAndLostConnection() throws {
        let (harness, answered) = try Self.refusedSubscription()
        harness.lose()
        harness.core.tokenFetched("second")
        harness.waitForDial()
        #expect(harness.open().map { $0["ext"] } == [["token": "second"]])
        harness.answer("/meta/connect", [:])
        let again = harness.take().filter { $0["channel"] == "/meta/subscribe" }
        #expect(again.map { $0["ext"] } == [["token": "second"]])
        harness.answer("/meta/subscribe", Self.expiry, successful: false)
        #expect(throws: ClientError.refused("401::Token expired")) { try answered.outcome?.get() }
        #expect(harness.tokenCount == 2)
        harness.core.end(nil)
    }

    @Test("Another session, not another token")
    func unknownSession() throws {
        let harness = try Self.established(seconds: 1000)
        harness.answer(
            "/meta/connect", ["error": "401:one:Unknown client", "advice": ["reconnect": "handshake"]],
            successful: false)
        #expect(harness.tokenCount == 1)
        #expect(harness.take().map { $0["channel"] } == ["/meta/handshake"])
    }

    /// The interval of one connect is over when the next one, with a new token, was refused already.
    @Test
    func intervalOfASessionThatIsGone() throws {
        let harness = try Self.established(seconds: 1000)
        harness.answer("/meta/connect", ["advice": ["interval": 1_000_000]])
        harness.advance(.seconds(951))
        harness.core.tokenFetched("second")
        _ = harness.take()
        harness.answer(
            "/meta/connect", ["error": "401:one:Unknown client", "advice": ["reconnect": "handshake"]],
            successful: false)
        #expect(harness.take().map { $0["channel"] } == ["/meta/handshake"])
        harness.advance(.seconds(100))
        #expect(harness.take() == [])
    }

    /// A token that was refused is not replaced a second time when its own time has come.
    @Test
    func sourceThatFailsForARefusedToken() throws {
        let harness = try Self.established(seconds: 1000)
        harness.answer(
            "/meta/connect", ["error": "401::Token expired", "advice": ["reconnect": "handshake"]], successful: false)
        harness.advance(.seconds(20))
        #expect(harness.tokenCount == 2)
        harness.core.tokenFailed(CancellationError())
        harness.advance(.seconds(11))
        #expect(harness.tokenCount == 3)
        harness.core.tokenFetched("second")
        harness.advance(.seconds(1000))
        #expect(harness.tokenCount == 3)
    }
}

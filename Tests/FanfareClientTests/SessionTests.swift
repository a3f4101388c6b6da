import NIOCore
import Support
import Testing

@testable import FanfareClient

/// A client's session: what each of its states does with each thing that can happen.
struct SessionTests {
    private static let handshake: JSON = [
        "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"],
    ]
    private static func connect(_ clientID: String = "one", advice: JSON? = nil) -> JSON {
        var members: [String: JSON] = [
            "channel": "/meta/connect", "clientId": .string(clientID), "connectionType": "websocket",
        ]
        members["advice"] = advice
        return .object(members)
    }

    @Test
    func fromTheBeginningToTheEnd() throws {
        let harness = try SessionHarness()
        #expect(harness.core.phase == .idle)
        harness.core.start()
        #expect(harness.core.phase == .dialing)
        #expect(harness.open() == [Self.handshake])
        #expect(harness.core.phase == .shakingHands)
        harness.acceptHandshake()
        #expect(harness.core.phase == .open)
        #expect(harness.take() == [Self.connect()])
        // The connect is answered when the broker pleases, and goes out again.
        harness.answer("/meta/connect", ["clientId": "one"])
        #expect(harness.take() == [Self.connect()])
        harness.close()
        #expect(harness.take() == [["channel": "/meta/disconnect", "clientId": "one"]])
        harness.answer("/meta/disconnect", [:])
        harness.advance(.zero)
        #expect(harness.core.phase == .closed)
        #expect(harness.transport.isClosed)
    }

    /// Of connections to several addresses the first one that is made is the session's.
    @Test
    func severalConnections() throws {
        let harness = try SessionHarness()
        #expect(!harness.core.connectionBegan(SessionHarness.Transport()), "nobody has asked for one")
        harness.core.start()
        #expect(harness.open() == [Self.handshake])
        #expect(!harness.core.connectionBegan(SessionHarness.Transport()))
        harness.acceptHandshake()
        #expect(harness.take() == [Self.connect()])
    }

    @Test
    func startIsForIdleSessionsOnly() throws {
        let harness = try SessionHarness()
        harness.establish()
        harness.core.start()
        #expect(harness.core.phase == .open)
        #expect(harness.dialCount == 1)
    }

    /// The token goes with the handshake, and so does the wish for acknowledgements.
    @Test
    func handshakeExtensions() throws {
        let harness = try SessionHarness {
            $0.token = "to\"ken"
            $0.acknowledgesMessages = true
        }
        harness.core.start()
        #expect(harness.open().first?["ext"] == ["ack": true, "token": "to\"ken"])
        harness.acceptHandshake()
        _ = harness.take()
        harness.answer("/meta/connect", ["ext": ["ack": 41]])
        #expect(harness.take().first?["ext"] == ["ack": 41])
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        var testDescription: String { error }
        let error: String
        var advice: JSON = nil
        /// Whether the session ends; else it tries again.
        let ends: Bool
    }
    static let refusals = [
        Refusal(error: "403::no", advice: ["reconnect": "handshake"], ends: true),
        Refusal(error: "401::no", advice: ["reconnect": "retry"], ends: true),
        Refusal(error: "500::no", advice: ["reconnect": "none"], ends: true),
        Refusal(error: "500::no", ends: true),
        Refusal(error: "500::no", advice: ["reconnect": "handshake", "interval": 2000], ends: false),
    ]

    @Test(arguments: refusals)
    func refusedHandshake(row: Refusal) throws {
        let harness = try SessionHarness()
        harness.core.start()
        harness.open()
        let ready = harness.begin()
        harness.answer("/meta/handshake", ["error": .string(row.error), "advice": row.advice], successful: false)
        guard row.ends else {
            #expect(harness.core.phase == .shakingHands)
            harness.advance(.milliseconds(1999))
            #expect(harness.take() == [])
            harness.advance(.milliseconds(1))
            #expect(harness.take() == [Self.handshake])
            harness.acceptHandshake()
            #expect(throws: Never.self) { try ready.outcome?.get() }
            #expect(ready.outcome != nil)
            return
        }
        #expect(harness.core.phase == .closed)
        let error = #expect(throws: ClientError.self) { try ready.outcome?.get() }
        #expect(error?.kind == .denied)
        #expect(error?.answer == row.error)
    }

    @Test
    func lostConnectionIsResumed() throws {
        let harness = try SessionHarness()
        harness.establish()
        harness.lose()
        #expect(harness.core.phase == .waiting)
        harness.waitForDial()
        #expect(harness.core.phase == .dialing)
        // What is not to be held: until the answer is there nothing else is said.
        #expect(harness.open() == [Self.connect(advice: ["timeout": 0])])
        #expect(harness.core.phase == .resuming)
        harness.answer("/meta/connect", [:])
        #expect(harness.core.phase == .open)
        #expect(harness.take() == [Self.connect()])
    }

    /// The broker knows the session no more: another one, with the same subscriptions.
    @Test
    func forgottenSession() throws {
        let harness = try SessionHarness()
        harness.establish()
        _ = try harness.subscribe("/a")
        harness.answer("/meta/subscribe", [:])
        harness.lose()
        harness.waitForDial()
        harness.open()
        harness.answer(
            "/meta/connect", ["error": "401:one:Unknown client", "advice": ["reconnect": "handshake"]],
            successful: false)
        #expect(harness.core.phase == .shakingHands)
        #expect(harness.take() == [Self.handshake])
        harness.acceptHandshake("two")
        #expect(
            harness.take() == [
                ["channel": "/meta/subscribe", "clientId": "two", "subscription": ["/a"]], Self.connect("two"),
            ])
    }

    @Test
    func connectThatEndsTheSession() throws {
        let harness = try SessionHarness()
        harness.establish()
        harness.answer("/meta/connect", ["error": "403::away", "advice": ["reconnect": "none"]], successful: false)
        #expect(harness.core.phase == .closed)
    }

    @Test
    func adviceIsObeyed() throws {
        let harness = try SessionHarness()
        harness.establish()
        harness.answer("/meta/connect", ["advice": ["reconnect": "retry", "interval": 500]])
        #expect(harness.take() == [])
        harness.advance(.milliseconds(500))
        #expect(harness.take() == [Self.connect()])
        harness.answer("/meta/connect", ["advice": ["reconnect": "none"]])
        harness.advance(.seconds(60))
        #expect(harness.take() == [])
    }

    /// Without another connect no session lives, and none is wanted: who reads is told.
    @Test
    func advisedNotToComeBack() throws {
        let harness = try SessionHarness()
        harness.establish()
        let request = harness.request()
        harness.answer("/meta/connect", ["advice": ["reconnect": "none"]])
        #expect(harness.core.phase == .closed)
        #expect(harness.transport.isClosed)
        let error = #expect(throws: ClientError.self) { try request.outcome?.get() }
        #expect(error?.kind == .denied)
    }

    /// The answer to the connect that was held until the end means nothing any more.
    @Test
    func connectAnsweredWhileClosing() throws {
        let harness = try SessionHarness()
        harness.establish()
        harness.close()
        _ = harness.take()
        for advice in [["reconnect": "none"], nil] as [JSON] {
            harness.core.sendConnect()
            harness.core.flush()
            _ = harness.take()
            harness.answer("/meta/connect", ["advice": advice])
            #expect(harness.take() == [])
            #expect(harness.core.phase == .closing)
        }
    }

    /// What waits for an interval is forgotten with its connection.
    @Test
    func intervalOfAConnectionThatIsGone() throws {
        let harness = try SessionHarness()
        harness.establish()
        harness.answer("/meta/connect", ["advice": ["interval": 10_000]])
        harness.lose()
        harness.advance(.seconds(1))
        harness.open()
        _ = harness.take()
        harness.advance(.seconds(60))
        #expect(harness.take() == [])
    }

    struct Loss: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let kind: ClientError.Kind
        var outage: Duration?
        let ends: Bool
    }
    static let losses = [
        Loss(testDescription: "unreachable, for ever", kind: .unreachable, ends: false),
        Loss(testDescription: "unreachable, none allowed", kind: .unreachable, outage: .zero, ends: true),
        Loss(testDescription: "denied", kind: .denied, ends: true),
        Loss(testDescription: "refused", kind: .refused, ends: true),
        Loss(testDescription: "no Bayeux", kind: .protocolFailure, ends: true),
    ]

    @Test(arguments: losses)
    func whatEndsASession(row: Loss) throws {
        let harness = try SessionHarness { $0.maximumOutage = row.outage }
        harness.establish()
        harness.lose(row.kind)
        #expect(harness.core.phase == (row.ends ? .closed : .waiting))
    }

    /// The time without a connection begins with the end of the session, not with its beginning.
    @Test
    func lostWhileBeginningAgain() throws {
        let harness = try SessionHarness { $0.maximumOutage = .seconds(60) }
        harness.establish()
        harness.advance(.hours(1))
        harness.answer(
            "/meta/connect", ["error": "401:one:Unknown client", "advice": ["reconnect": "handshake"]],
            successful: false)
        harness.lose()
        #expect(harness.core.phase == .waiting)
        harness.core.end(nil)
    }

    /// Before the first session a bound of its own holds; attempts go on until it is over.
    @Test
    func firstConnectionDoesNotComeAbout() throws {
        let harness = try SessionHarness { $0.maximumFirstOutage = .seconds(60) }
        harness.core.start()
        for _ in 0..<1000 where harness.core.phase != .closed {
            harness.core.connectionFailed(ClientError(.unreachable, "away"))
            if harness.core.phase == .waiting { harness.advance(.seconds(5)) }
        }
        #expect(harness.core.phase == .closed)
        #expect(harness.dialCount > 3)
        #expect(harness.loop.now >= .uptimeNanoseconds(60_000_000_000))
        let impatient = try SessionHarness()
        impatient.core.start()
        impatient.core.connectionFailed(ClientError(.unreachable, "away"))
        #expect(impatient.core.phase == .closed)
    }

    @Test
    func whatIsNoBayeux() throws {
        let harness = try SessionHarness()
        harness.establish()
        harness.core.connectionReceived(Array("<html>".utf8).span.bytes)
        harness.core.connectionReadCompleted()
        #expect(harness.core.phase == .closed)
    }

    @Test
    func lateEvents() throws {
        let harness = try SessionHarness()
        harness.establish()
        harness.core.end(nil)
        #expect(harness.core.phase == .closed)
        harness.lose()
        harness.core.connectionFailed(ClientError(.unreachable, "late"))
        harness.core.end(ClientError(.denied, "late"))
        harness.waitForDial()
        #expect(harness.core.phase == .closed)
        #expect(harness.dialCount == 1)
    }

    /// A connection that is lost while the session is being closed closes it.
    @Test
    func lostWhileClosing() throws {
        let harness = try SessionHarness()
        harness.establish()
        harness.close()
        harness.lose()
        #expect(harness.core.phase == .closed)
    }

    @Test
    func services() throws {
        let harness = try SessionHarness()
        let early = harness.request()
        harness.core.start()
        harness.open()
        harness.acceptHandshake()
        #expect(harness.take().contains(["channel": "/service/x", "clientId": "one", "data": 1]))
        harness.answer("/service/x", ["data": 2])
        #expect(Array(try #require(early.outcome).get().data) == Array("2".utf8))
        let refused = harness.request()
        harness.answer("/service/x", ["error": "403:/service/x:no"], successful: false)
        #expect(throws: ClientError.refused("403:/service/x:no")) { try refused.outcome?.get() }
        // It may have been called: it is not sent again.
        let lost = harness.request()
        harness.lose()
        #expect(throws: ClientError.self) { try lost.outcome?.get() }
    }
}

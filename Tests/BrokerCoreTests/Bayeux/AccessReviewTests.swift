import Support
import Testing

@testable import BrokerCore

/// A session's subscriptions are many, and looked at again only when there is a reason.
@Suite("Reviews of what a session may have")
struct AccessReviewTests {
    private static let now = Moment(monotonic: 1_000_000_000, wall: 1_700_000_000_000)

    private static func router() -> Router {
        Router(
            limits: Limits(), rules: AccessRules(),
            state: StoredState(epoch: "log", lastSequence: 0, sessions: [], recent: []), loopCount: 1,
            generator: SeededGenerator(seed: 1), now: now)
    }

    private static func principal() -> Principal {
        Principal(subject: "alice", expiresAt: now.wall + 100_000)
    }

    /// A session publishes with a token in the message.
    private static func publish(_ session: Session, with principal: Principal, on router: inout Router) throws {
        let text = Array(#"{"channel":"/x","data":1,"clientId":"\#(session.clientID)"}"#.utf8)
        var batch: [Envelope] = []
        _ = try EnvelopeScanner().scan(validatingUTF8: text.span.bytes, into: &batch)
        var caller = Caller(isBrowser: true)
        caller.tokens = [0: .success(principal)]
        var outbox = Outbox()
        let peer = Peer(connection: ConnectionID(loop: 0, slot: 0), kind: .socket)
        router.receive(batch, text: text.span.bytes, from: peer, caller: caller, now: now, into: &outbox)
    }

    @Test("A message with the session's own token is none; another token is one, and so are other rules")
    func sameToken() throws {
        var router = Self.router()
        let session = router.addSession(clientID: "client", now: Self.now)
        let (first, second) = (Self.principal(), Self.principal())
        try Self.publish(session, with: first, on: &router)
        #expect(session.rights.principal === first)
        let count = session.rights.reviewCount
        try Self.publish(session, with: first, on: &router)
        #expect(session.rights.reviewCount == count)
        try Self.publish(session, with: second, on: &router)
        #expect(session.rights.principal === second)
        #expect(session.rights.reviewCount == count + 1)
        var outbox = Outbox()
        router.set(AccessRules(), revocations: [], now: Self.now, into: &outbox)
        #expect(session.rights.reviewCount == count + 2)
        try Self.publish(session, with: second, on: &router)
        #expect(session.rights.reviewCount == count + 2)
    }

    @Test("The session's own token ends its suspension")
    func suspension() throws {
        var router = Self.router()
        let session = router.addSession(clientID: "client", now: Self.now)
        let principal = Self.principal()
        try Self.publish(session, with: principal, on: &router)
        var outbox = Outbox()
        router.suspend(session, now: Self.now, into: &outbox)
        #expect(session.rights.isSuspended)
        try Self.publish(session, with: principal, on: &router)
        #expect(!session.rights.isSuspended)
    }
}

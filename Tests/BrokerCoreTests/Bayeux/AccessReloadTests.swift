import BrokerCore
import Support
import Testing

/// Other rules, keys and revocations while sessions are there.
@Suite("Access that changes")
struct AccessReloadTests {
    private static let keys = [TokenKeyIdentity(digest: 1), TokenKeyIdentity(digest: 2)]
    private static let rules = AccessRules(publish: .everyone, subscribe: .granted)

    /// A token for `/a/**` that one of the keys has signed.
    private static func caller(key: Int = 0, id: String? = nil, in harness: RouterHarness) throws -> Caller {
        let pattern = try ChannelPattern("/a/**", grammar: .faye, maximumBytes: 512)
        let principal = Principal(
            subject: "alice", tokenID: id, key: keys[key], publish: [pattern], subscribe: [pattern],
            expiresAt: harness.now.wall + 100_000)
        return Caller(principal: principal, isBrowser: false)
    }

    private static func error(_ events: [RouterHarness.Event]) -> String? {
        for case .reply(let reply) in events { return reply["error"]?.text }
        return nil
    }

    private static func data(_ events: [RouterHarness.Event]) -> [JSON] {
        events.compactMap { if case .push(let message) = $0 { message["data"] } else { nil } }
    }

    /// A session that is subscribed to `/a/x`.
    private static func subscriber(_ harness: RouterHarness, _ caller: Caller?) -> (peer: Peer, clientID: String) {
        harness.caller = caller
        let (peer, clientID) = harness.open()
        #expect(error(harness.subscribe(clientID, to: "/a/x", from: peer)) == nil)
        _ = harness.take(peer)
        return (peer, clientID)
    }

    @Test("What the new rules do not allow is taken away, and nothing else")
    func rules() throws {
        let harness = try RouterHarness(rules: AccessRules())
        let (page, _) = Self.subscriber(harness, Caller(isBrowser: true))
        let (program, _) = Self.subscriber(harness, Caller(isBrowser: false))
        let (known, _) = Self.subscriber(harness, try Self.caller(in: harness))
        let stream = try harness.stream(of: "/a/x", replay: nil)
        harness.caller = Caller(isBrowser: true)
        let stranger = try harness.stream(of: "/a/x", replay: nil)
        _ = (harness.take(stream), harness.take(stranger))

        harness.set(AccessRules(subscribe: .notBrowsers))
        #expect(harness.subscriptionCount == 3)
        #expect(harness.take(stranger) == [.close])
        harness.set(Self.rules)
        #expect(harness.subscriptionCount == 2)
        harness.caller = nil
        _ = harness.publish(1, to: "/a/x", from: harness.socket())
        #expect(Self.data(harness.take(page)) == [])
        #expect(Self.data(harness.take(program)) == [])
        #expect(Self.data(harness.take(known)) == [1])
        #expect(Self.data(harness.take(stream)) == [1])
        harness.set(nil as AccessRules?)
        #expect(harness.subscriptionCount == 2)
    }

    @Test("Whoever loses a subscription is told: at once, with the held connect, or with the next one")
    func telling() throws {
        let harness = try RouterHarness(rules: AccessRules())
        func told(_ events: [RouterHarness.Event], _ clientID: String) -> Bool {
            events.contains(
                .push([
                    "channel": "/meta/unsubscribe", "successful": true, "clientId": .string(clientID),
                    "subscription": "/a/x", "error": "403:/a/x:Subscription denied",
                ]))
        }
        let (page, pageID) = Self.subscriber(harness, Caller(isBrowser: true))
        let (lost, lostID) = Self.subscriber(harness, Caller(isBrowser: true))
        let (known, knownID) = Self.subscriber(harness, try Self.caller(in: harness))
        harness.caller = Caller(isBrowser: true)
        let pollerID = harness.openPolling()
        _ = harness.subscribe(pollerID, to: "/a/x", from: harness.exchange())
        let poll = harness.exchange()
        #expect(harness.connect(pollerID, from: poll) == [])
        harness.close(lost)

        harness.set(Self.rules)
        #expect(told(harness.take(page), pageID))
        #expect(told(harness.take(poll), pollerID))
        #expect(!told(harness.take(known), knownID))
        let again = harness.socket()
        #expect(told(harness.connect(lostID, from: again, timeout: 0) + harness.take(again), lostID))
    }

    @Test("A subscription that the store was at is asked about, too, when the rules have changed meanwhile")
    func underWay() throws {
        let harness = try RouterHarness(rules: AccessRules())
        harness.publish(1, to: "/a/x", from: harness.socket(), ext: ["retain": true])
        harness.caller = Caller(isBrowser: true)
        let (page, pageID) = harness.open()
        harness.caller = try Self.caller(in: harness)
        let (known, knownID) = harness.open()
        harness.storeMode = .held
        harness.caller = Caller(isBrowser: true)
        #expect(harness.subscribe(pageID, to: "/a/x", from: page) == [])
        let stream = try harness.stream(of: "/a/x", replay: nil)
        harness.caller = try Self.caller(in: harness)
        #expect(harness.subscribe(knownID, to: "/a/x", from: known) == [])
        harness.set(Self.rules)
        harness.storeMode = .prompt
        harness.runStore()
        #expect(
            harness.take(page) == [
                .subscribed(pageID, to: "/a/x"),
                .push([
                    "channel": "/meta/unsubscribe", "successful": true, "clientId": .string(pageID),
                    "subscription": "/a/x", "error": "403:/a/x:Subscription denied",
                ]),
            ])
        guard case .refuse(let error)? = harness.take(stream).first else { return #expect(Bool(false)) }
        #expect(error.code == 403)
        #expect(Self.data(harness.take(known)) == [1])
        #expect(harness.subscriptionCount == 1)
        #expect(harness.sessionCount == 2)
    }

    @Test("A session whose key is gone waits for a token of another one, and misses nothing")
    func keys() throws {
        let harness = try RouterHarness(rules: Self.rules)
        let old = try Self.caller(in: harness)
        let (peer, clientID) = Self.subscriber(harness, old)
        harness.set(Set(Self.keys))
        #expect(Self.error(harness.connect(clientID, from: peer, timeout: 0)) == nil)
        harness.set([Self.keys[1]])
        #expect(Self.error(harness.connect(clientID, from: peer, timeout: 0)) == "401::Token expired")
        let new = try Self.caller(key: 1, in: harness)
        harness.caller = new
        _ = harness.publish(1, to: "/a/x", from: harness.socket())
        #expect(Self.data(harness.take(peer)) == [])
        // It comes with a request, whose token ends when the old one did: it counts all the same.
        let events = harness.connect(clientID, from: peer, timeout: 0)
        #expect(Self.error(events) == nil)
        #expect(Self.data(events + harness.take(peer)) == [1])
        harness.caller = old
        #expect(Self.error(harness.publish(1, to: "/a/x", from: harness.socket())) == "401::Token expired")
    }

    @Test("Nor does anything go out to a stream that opens meanwhile")
    func keysWhileOpening() throws {
        let harness = try RouterHarness(rules: Self.rules)
        harness.caller = try Self.caller(in: harness)
        harness.storeMode = .held
        let stream = try harness.stream(of: "/a/x", replay: nil)
        harness.set([Self.keys[1]])
        harness.storeMode = .prompt
        harness.runStore()
        harness.caller = nil
        _ = harness.publish(1, to: "/a/x", from: harness.socket())
        #expect(harness.take(stream) == [.open])
    }

    @Test("Without a new token such a session ends")
    func grace() throws {
        var limits = Limits()
        limits.tokenGrace = .seconds(5)
        let harness = try RouterHarness(limits: limits, rules: Self.rules)
        _ = Self.subscriber(harness, try Self.caller(in: harness))
        harness.set([Self.keys[1]])
        harness.advance(by: .seconds(4))
        #expect(harness.sessionCount == 1)
        harness.advance(by: .seconds(1))
        #expect(harness.sessionCount == 0)
    }

    @Test("Where no tokens are taken any more sessions are nobody's, and go on")
    func noKeys() throws {
        let harness = try RouterHarness(rules: Self.rules)
        let (peer, clientID) = Self.subscriber(harness, try Self.caller(in: harness))
        harness.set([Self.keys[1]])
        harness.set(nil as Set<TokenKeyIdentity>?)
        harness.set(nil as AccessRules?)
        harness.caller = nil
        #expect(Self.error(harness.connect(clientID, from: peer, timeout: 0)) == nil)
        // Beyond the end of the token that it had.
        harness.advance(by: .seconds(110))
        _ = harness.publish(1, to: "/a/x", from: harness.socket())
        #expect(Self.data(harness.take(peer)) == [1])
    }

    @Test("The list of revoked tokens is another one: more of them, or fewer")
    func revocations() throws {
        let harness = try RouterHarness(rules: Self.rules)
        let one = try Self.caller(id: "one", in: harness)
        _ = Self.subscriber(harness, one)
        _ = Self.subscriber(harness, try Self.caller(id: "two", in: harness))
        harness.set(Self.rules, revocations: [.token("one")])
        #expect(harness.sessionCount == 1)
        harness.caller = one
        #expect(Self.error(harness.publish(1, to: "/a/x", from: harness.socket())) == "401::Token revoked")
        harness.set(Self.rules)
        #expect(Self.error(harness.publish(1, to: "/a/x", from: harness.socket())) == nil)
    }

    @Test("A session of before a restart is looked at when its client comes, whatever the rules were in between")
    func restored() throws {
        let pattern = try ChannelPattern("/a/x", grammar: .faye, maximumBytes: 512)
        let stored = StoredState.Session(clientID: "restored", subscriptions: [pattern: 0])
        let harness = try RouterHarness(sessions: [stored])
        harness.set(Self.rules)
        #expect(harness.subscriptionCount == 1)
        harness.caller = Caller(isBrowser: false)
        let refused = harness.connect("restored", from: harness.socket(), timeout: 0)
        #expect(Self.error(refused) == "401:restored:Unknown client")
        #expect(harness.sessionCount == 0)
    }
}

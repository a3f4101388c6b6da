import BrokerCore
import Support
import Testing

/// How fast clients elsewhere may publish, subscribe and shake hands; those on this machine as fast as they like.
@Suite("Rates of sessions")
struct SessionRatesTests {
    private static let elsewhere = IPAddress(v4: 0xCB00_7107)

    private func harness(
        from address: IPAddress? = elsewhere, rules: AccessRules? = nil, _ change: (inout RateLimits) -> Void
    ) throws -> RouterHarness {
        var limits = Limits()
        limits.rates.handshakesPerAddress = nil
        limits.rates.publishPerSession = nil
        limits.rates.subscribePerSession = nil
        limits.rates.bytesPerSession = nil
        limits.rates.publishPerCredential = nil
        change(&limits.rates)
        let harness = try RouterHarness(limits: limits, rules: rules)
        harness.caller = Caller(isBrowser: false)
        harness.caller?.address = address
        return harness
    }

    private func error(_ events: [RouterHarness.Event]) -> String? {
        for case .reply(let reply) in events { return reply["error"]?.text }
        return nil
    }

    @Test
    func publications() throws {
        let harness = try harness { $0.publishPerSession = Rate(1, burst: 2) }
        let (publisher, clientID) = harness.open()
        let (other, otherID) = harness.open()
        let message: JSON = ["channel": "/a", "clientId": .string(clientID), "data": 1]
        for _ in 0..<2 { #expect(error(harness.send([message], from: publisher)) == nil) }
        #expect(error(harness.send([message], from: publisher)) == "429:publish,1:Rate limit reached")
        // Also by another way in: it is the session that has had enough.
        #expect(error(harness.send([message], from: harness.exchange())) == "429:publish,1:Rate limit reached")
        #expect(error(harness.send([["channel": "/a", "clientId": .string(otherID), "data": 1]], from: other)) == nil)
        harness.advance(by: .seconds(1))
        #expect(error(harness.send([message], from: publisher)) == nil)
        for (limit, count) in harness.counters.limitedCounts.all { #expect(count == (limit == .publish ? 2 : 0)) }
    }

    /// Who names no session is known by the address: any number of connections has one bucket.
    @Test
    func publicationsWithoutSession() throws {
        let harness = try harness { $0.publishPerSession = Rate(1, burst: 2) }
        let message: JSON = ["channel": "/a", "data": 1]
        for _ in 0..<2 { #expect(error(harness.send([message], from: harness.socket())) == nil) }
        #expect(error(harness.send([message], from: harness.socket())) == "429:publish,1:Rate limit reached")
        let receipt = try harness.publishOverHTTP(1, to: "/a", from: harness.exchange())
        guard case .receipt(.failure(let failure))? = receipt.first else { throw Missing() }
        #expect(failure.wire == "429:publish,1:Rate limit reached" && failure.retryAfter == 1)
    }

    @Test
    func bytes() throws {
        let harness = try harness { $0.bytesPerSession = Rate(100, burst: 1_000) }
        let (publisher, clientID) = harness.open()
        func publish(_ count: Int) -> String? {
            let data = JSON.string(String(repeating: "x", count: count - 2))
            return error(
                harness.send([["channel": "/a", "clientId": .string(clientID), "data": data]], from: publisher))
        }
        #expect(publish(900) == nil)
        #expect(publish(400) == "429:bytes,3:Rate limit reached")
        #expect(publish(100) == nil)
    }

    @Test
    func subscriptions() throws {
        let harness = try harness { $0.subscribePerSession = Rate(1, burst: 3) }
        let (peer, clientID) = harness.open()
        #expect(error(harness.subscribe(clientID, to: ["/a", "/b"], from: peer)) == nil)
        #expect(
            error(harness.subscribe(clientID, to: ["/c", "/d"], from: peer)) == "429:subscribe,1:Rate limit reached")
        #expect(error(harness.subscribe(clientID, to: "/c", from: peer)) == nil)
        #expect(harness.subscriptionCount == 3)
    }

    @Test("Ends of subscriptions count as well; where there is none, there is no end")
    func endsOfSubscriptions() throws {
        let harness = try harness { $0.subscribePerSession = Rate(1, burst: 3) }
        let (peer, clientID) = harness.open()
        #expect(error(harness.subscribe(clientID, to: ["/a", "/b"], from: peer)) == nil)
        #expect(error(harness.unsubscribe(clientID, from: ["/c", "/d", "/e"], over: peer)) == nil)
        #expect(
            error(harness.unsubscribe(clientID, from: ["/a", "/b"], over: peer)) == "429:subscribe,1:Rate limit reached"
        )
        #expect(error(harness.unsubscribe(clientID, from: "/a", over: peer)) == nil)
        #expect(harness.subscriptionCount == 1)
    }

    @Test
    func handshakes() throws {
        let harness = try harness { $0.handshakesPerAddress = Rate(1, burst: 2) }
        for _ in 0..<2 { _ = harness.handshake(harness.socket()) }
        let message: JSON = [
            "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"],
        ]
        for case .reply(let reply) in harness.send([message], from: harness.socket()) {
            #expect(reply["error"]?.text == "429:handshakes,1:Rate limit reached")
            #expect(reply["advice"]?["interval"] == 1000)
            #expect(reply["clientId"] == nil)
        }
        #expect(harness.sessionCount == 2)
        harness.advance(by: .seconds(1))
        _ = harness.handshake(harness.socket())
    }

    /// Sessions count where their clients came last, of IPv6 for one /64; on this machine there may be any number.
    @Test
    func sessions() throws {
        var limits = Limits()
        limits.sessionsPerAddress = 2
        let harness = try RouterHarness(limits: limits)
        let message: JSON = [
            "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"],
        ]
        func handshake(from address: String?) -> String? {
            harness.caller = Caller(isBrowser: false)
            harness.caller?.address = address.flatMap { IPAddress($0) }
            return error(harness.send([message], from: harness.socket()))
        }
        func move(_ clientID: String, to address: String?) {
            harness.caller?.address = address.flatMap { IPAddress($0) }
            harness.connect(clientID, from: harness.socket())
        }
        harness.caller = Caller(isBrowser: false)
        harness.caller?.address = IPAddress("2001:db8::1")
        let first = harness.handshake(harness.socket())
        #expect(handshake(from: "2001:db8::2") == nil)
        #expect(handshake(from: "2001:db8::3") == "429:sessions-per-address:Limit reached")
        // Who sent something last is nobody's caller.
        harness.caller?.address = nil
        harness.publish(1, to: "/b", from: harness.socket())
        harness.caller?.address = IPAddress("2001:db8::4")
        let stream = try harness.stream(of: "/a", replay: nil)
        guard case .refuse(let refusal)? = harness.take(stream).first else { throw Missing() }
        #expect(refusal.wire == "429:sessions-per-address:Limit reached")
        for _ in 0..<5 { #expect(handshake(from: nil) == nil) }
        #expect(handshake(from: "2001:db8:1::1") == nil)

        move(first, to: "203.0.113.7")
        #expect(handshake(from: "2001:db8::3") == nil)
        move(first, to: "2001:db8::1")
        #expect(handshake(from: "2001:db8::3") == "429:sessions-per-address:Limit reached")
        harness.advance(by: .seconds(121))
        #expect(harness.sessionCount == 0)
        for _ in 0..<2 { #expect(handshake(from: "2001:db8::3") == nil) }
    }

    /// Those that the store is still to take, and those of sessions that have moved, count as well; what ends does not.
    @Test
    func subscriptionsOfAnAddress() throws {
        var limits = Limits()
        limits.subscriptionsPerAddress = 4
        let harness = try RouterHarness(limits: limits)
        harness.caller = Caller(isBrowser: false)
        harness.caller?.address = Self.elsewhere
        let (peer, clientID) = harness.open()
        let (other, otherID) = harness.open()
        let refusal = "429:subscriptions-per-address:Limit reached"
        #expect(error(harness.subscribe(clientID, to: ["/a", "/b"], from: peer)) == nil)
        harness.storeMode = .held
        harness.subscribe(otherID, to: "/c", from: other)
        #expect(error(harness.subscribe(otherID, to: ["/d", "/e"], from: other)) == refusal)
        // Those it has already are no more.
        harness.subscribe(clientID, to: ["/a", "/b"], from: peer)
        harness.runStore()
        harness.storeMode = .prompt
        _ = (harness.take(peer), harness.take(other))
        #expect(error(harness.subscribe(otherID, to: ["/d", "/e"], from: other)) == refusal)
        #expect(error(harness.unsubscribe(clientID, from: "/a", over: peer)) == nil)
        #expect(error(harness.subscribe(otherID, to: ["/d", "/e"], from: other)) == nil)
        #expect(error(harness.subscribe(clientID, to: "/f", from: harness.exchange())) == refusal)

        harness.caller?.address = IPAddress("2001:db8::1")
        harness.connect(otherID, from: harness.socket())
        harness.caller?.address = Self.elsewhere
        #expect(error(harness.subscribe(clientID, to: ["/f", "/g", "/h"], from: peer)) == nil)
        #expect(error(harness.subscribe(clientID, to: "/i", from: peer)) == refusal)
        harness.disconnect(clientID, from: peer)
        let (third, thirdID) = harness.open()
        #expect(error(harness.subscribe(thirdID, to: ["/1", "/2", "/3", "/4"], from: third)) == nil)
        harness.caller?.address = nil
        let (fourth, fourthID) = harness.open()
        #expect(error(harness.subscribe(fourthID, to: ["/1", "/2", "/3", "/4", "/5"], from: fourth)) == nil)
    }

    @Test
    func subscriptionsInAll() throws {
        var limits = Limits()
        limits.subscriptions = 3
        let harness = try RouterHarness(limits: limits)
        let (peer, clientID) = harness.open()
        #expect(error(harness.subscribe(clientID, to: ["/a", "/b"], from: peer)) == nil)
        let (other, otherID) = harness.open()
        let refusal = error(harness.subscribe(otherID, to: ["/a", "/b"], from: other))
        #expect(refusal == "429:subscriptions-in-all:Limit reached")
        harness.disconnect(clientID, from: peer)
        #expect(error(harness.subscribe(otherID, to: ["/a", "/b", "/c"], from: other)) == nil)
    }

    /// A subject has one bucket, whatever sessions and addresses its tokens come from.
    @Test
    func credentials() throws {
        let rules = AccessRules(publish: .authenticated, subscribe: .everyone)
        let harness = try harness(rules: rules) { $0.publishPerCredential = Rate(1, burst: 2) }
        func publish(as subject: String, from address: UInt32) -> String? {
            let principal = Principal(subject: subject, expiresAt: .max)
            harness.caller = Caller(principal: principal, isBrowser: false)
            harness.caller?.address = IPAddress(v4: address)
            return error(harness.send([["channel": "/a", "data": 1]], from: harness.socket()))
        }
        #expect(publish(as: "anna", from: 1) == nil)
        #expect(publish(as: "anna", from: 2) == nil)
        #expect(publish(as: "anna", from: 3) == "429:credential,1:Rate limit reached")
        #expect(publish(as: "berta", from: 1) == nil)
    }

    /// Whoever has such a token takes nothing of what its subject may publish, by whatever way.
    @Test("A token that is revoked or has expired counts for no rate", arguments: [false, true])
    func credentialsThatDoNotCount(overHTTP: Bool) throws {
        let rules = AccessRules(publish: .authenticated, subscribe: .everyone)
        let harness = try harness(rules: rules) { $0.publishPerCredential = Rate(1, burst: 2) }
        func publish(with tokenID: String, endingAt end: Int64 = .max) throws -> String? {
            let principal = Principal(subject: "anna", tokenID: tokenID, expiresAt: end)
            harness.caller = Caller(principal: principal, isBrowser: false)
            harness.caller?.address = Self.elsewhere
            if !overHTTP { return error(harness.send([["channel": "/a", "data": 1]], from: harness.socket())) }
            let receipt = try harness.publishOverHTTP(1, to: "/a", from: harness.exchange())
            if case .receipt(.failure(let failure))? = receipt.first { return failure.wire }
            return nil
        }
        harness.revoke(.token("stolen"))
        for _ in 0..<3 { #expect(try publish(with: "stolen") == "401::Token revoked") }
        for _ in 0..<3 { #expect(try publish(with: "old", endingAt: 0) == "401::Token expired") }
        for _ in 0..<2 { #expect(try publish(with: "own") == nil) }
        #expect(try publish(with: "own") == "429:credential,1:Rate limit reached")
        #expect(try publish(with: "stolen") == "401::Token revoked")
    }

    @Test
    func notOnThisMachine() throws {
        let harness = try harness(from: nil) { $0.publishPerSession = Rate(1, burst: 1) }
        let (peer, clientID) = harness.open()
        for _ in 0..<100 {
            let message: JSON = ["channel": "/a", "clientId": .string(clientID), "data": 1]
            #expect(error(harness.send([message], from: peer)) == nil)
        }
    }

    @Test
    func otherLimitsWhileItRuns() throws {
        let harness = try harness { _ in }
        let message: JSON = ["channel": "/a", "data": 1]
        let peer = harness.socket()
        for _ in 0..<10 { #expect(error(harness.send([message], from: peer)) == nil) }
        var rates = RateLimits()
        rates.publishPerSession = Rate(1, burst: 1)
        harness.set(rates)
        #expect(error(harness.send([message], from: peer)) == nil)
        #expect(error(harness.send([message], from: peer)) == "429:publish,1:Rate limit reached")
    }

    private struct Missing: Error {}
}

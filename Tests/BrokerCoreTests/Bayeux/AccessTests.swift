import BrokerCore
import Support
import Testing

/// What rules and tokens do to messages and sessions.
@Suite("Access")
struct AccessTests {
    private static func pattern(_ text: String) throws -> ChannelPattern {
        try ChannelPattern(text, grammar: .faye, maximumBytes: 512)
    }

    private static func rules(publish: Audience = .granted, subscribe: Audience = .granted) -> AccessRules {
        AccessRules(publish: publish, subscribe: subscribe)
    }

    /// A token of `subject`, for `/a/**`, that ends in so many seconds.
    private static func principal(
        _ subject: String = "alice", for texts: [String] = ["/a/**"], id: String? = nil, issuedAt: Int64? = nil,
        seconds: Int64 = 100, in harness: RouterHarness
    ) throws -> Principal {
        let patterns = try texts.map(pattern)
        return Principal(
            subject: subject, tokenID: id, publish: patterns, subscribe: patterns, issuedAt: issuedAt,
            expiresAt: harness.now.wall + seconds * 1000)
    }

    private static func caller(_ principal: Principal?) -> Caller { Caller(principal: principal, isBrowser: true) }

    private static func error(_ events: [RouterHarness.Event]) -> String? {
        for case .reply(let reply) in events {
            if case .string(let text)? = reply["error"] { return text }
        }
        return nil
    }

    private static func reconnect(_ events: [RouterHarness.Event]) -> JSON? {
        for case .reply(let reply) in events {
            if let advice = reply["advice"] { return advice["reconnect"] }
        }
        return nil
    }

    @Test("Without a token nothing goes where one is needed; meta channels cannot be had by other names")
    func anonymous() throws {
        let harness = try RouterHarness(rules: Self.rules())
        harness.caller = Self.caller(nil)
        let (peer, clientID) = harness.open()
        #expect(Self.error(harness.publish(1, to: "/a/b", from: peer)) == "403:/a/b:Publishing denied")
        #expect(Self.error(harness.subscribe(clientID, to: "/a/b", from: peer)) == "403:/a/b:Subscription denied")
        for name in ["/meta/subscribe/x", "/meta/connectx", "/meta", "/meta/publish", "/META/connect"] {
            let refused = harness.send(
                [["channel": .string(name), "data": 1, "clientId": .string(clientID)]], from: peer)
            #expect(Self.error(refused)?.hasPrefix("403:") == true, "\(name)")
        }
        #expect(harness.subscriptionCount == 0)
    }

    @Test("A token is good for what it covers; what comes before the first refused item stays")
    func granted() throws {
        let harness = try RouterHarness(rules: Self.rules())
        harness.caller = Self.caller(try Self.principal(in: harness))
        let (peer, clientID) = harness.open()
        #expect(Self.error(harness.publish(1, to: "/a/b", from: peer)) == nil)
        #expect(Self.error(harness.publish(1, to: "/a", from: peer)) == "403:/a:Publishing denied")
        let reply = harness.subscribe(clientID, to: ["/a/b", "/**", "/a/c"], from: peer)
        #expect(Self.error(reply) == "403:/**:Subscription denied")
        #expect(harness.subscriptionCount == 1)
        #expect(Self.error(harness.subscribe(clientID, to: "/a/**", from: peer)) == nil)
        // Another one who knows the client id, without a token, has the session; with another name, not.
        harness.caller = Self.caller(try Self.principal("bob", in: harness))
        let stolen = harness.subscribe(clientID, to: "/a/d", from: harness.exchange())
        #expect(Self.error(stolen) == "401::The session is somebody else's")
    }

    @Test("Plain HTTP and streams obey the same rules")
    func http() throws {
        var policies = ChannelPolicies()
        policies[try Self.pattern("/**")] = ChannelPolicy(retain: true, historyCount: 10)
        let harness = try RouterHarness(policies: policies, rules: Self.rules())
        harness.caller = Self.caller(try Self.principal(in: harness))
        let published = try harness.publishOverHTTP(1, to: "/a/b", from: harness.exchange())
        guard case .receipt(.success)? = published.first else { return #expect(Bool(false), "\(published)") }
        func denied(_ code: Int) throws {
            let publishing = BayeuxError(
                code: code, arguments: ["/a/b"], text: "Publishing denied", reason: .denied(.publish))
            let subscribing = BayeuxError(
                code: code, arguments: ["/a/b"], text: "Subscription denied", reason: .denied(.subscribe))
            #expect(
                try harness.publishOverHTTP(1, to: "/a/b", from: harness.exchange()) == [.receipt(.failure(publishing))]
            )
            #expect(
                try harness.readRetained(of: "/a/b", for: harness.exchange()) == [.retained(.failure(subscribing))])
            #expect(
                try harness.readHistory(of: "/a/b", after: 0, limit: 9, for: harness.exchange())
                    == [.noHistory(subscribing)])
            #expect(harness.take(try harness.stream(of: "/a/b", replay: nil)) == [.refuse(subscribing)])
        }
        harness.caller = Self.caller(nil)
        try denied(401)
        harness.caller = Self.caller(try Self.principal(for: ["/b"], in: harness))
        try denied(403)
        // Where there are rules, what comes from who knows where has the least rights.
        harness.caller = nil
        try denied(401)
    }

    @Test("When a token expires nothing goes out; a new one brings what waited")
    func expiry() throws {
        let harness = try RouterHarness(rules: Self.rules())
        harness.caller = Self.caller(try Self.principal(in: harness))
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a/b", from: peer)
        harness.advance(by: .seconds(60))
        harness.connect(clientID, from: peer)
        _ = harness.take(peer)
        harness.advance(by: .seconds(40))
        let told = harness.take(peer)
        #expect(Self.error(told) == "401::Token expired")
        #expect(Self.reconnect(told) == "handshake")
        let writer = harness.socket()
        harness.caller = .trusted
        harness.publish(1, to: "/a/b", from: writer)
        #expect(harness.take(peer) == [])
        harness.caller = Self.caller(nil)
        let refused = harness.send(
            [["channel": "/a/b", "data": 1, "clientId": .string(clientID)]], from: harness.exchange())
        #expect(Self.error(refused) == "401::Token expired")
        harness.caller?.tokens[0] = .success(try Self.principal(seconds: 1_000, in: harness))
        let renewed = harness.connect(clientID, from: peer)
        #expect(renewed.contains(.message(1, on: "/a/b")))
        harness.caller = .trusted
        harness.publish(2, to: "/a/b", from: writer)
        #expect(harness.take(peer) == [.message(2, on: "/a/b")])
    }

    @Test("A session whose token is not renewed in time ends")
    func grace() throws {
        var limits = Limits()
        limits.tokenGrace = .seconds(7)
        let harness = try RouterHarness(limits: limits, rules: Self.rules())
        harness.caller = Self.caller(try Self.principal(in: harness))
        let (peer, clientID) = harness.open()
        harness.advance(by: .seconds(60))
        harness.connect(clientID, from: peer)
        harness.advance(by: .milliseconds(46_999))
        #expect(harness.sessionCount == 1)
        harness.advance(by: .milliseconds(1))
        #expect(harness.sessionCount == 0)
        #expect(harness.take(peer).last == .close)
    }

    @Test("A stream of channels ends with its token")
    func streamExpiry() throws {
        let harness = try RouterHarness(rules: Self.rules())
        harness.caller = Self.caller(try Self.principal(seconds: 10, in: harness))
        let stream = try harness.stream(of: "/a/b", replay: nil)
        #expect(harness.take(stream) == [.open])
        harness.advance(by: .seconds(10))
        #expect(harness.take(stream) == [.close])
    }

    @Test("A new token that grants less takes away what it does not grant, with what waited of it")
    func narrowing() throws {
        let harness = try RouterHarness(rules: Self.rules())
        harness.caller = Self.caller(try Self.principal(for: ["/a/**", "/b"], in: harness))
        let clientID = harness.handshake(harness.exchange())
        harness.subscribe(clientID, to: ["/a/b", "/b"], from: harness.exchange())
        harness.caller = .trusted
        harness.publish("old", to: "/b", from: harness.socket())
        harness.caller = Self.caller(nil)
        harness.caller?.tokens[0] = .success(try Self.principal(for: ["/a/b"], in: harness))
        let peer = harness.socket()
        let events = harness.connect(clientID, from: peer)
        #expect(!events.contains(.message("old", on: "/b")))
        #expect(harness.subscriptionCount == 1)
        harness.caller = .trusted
        harness.publish(1, to: "/b", from: harness.socket())
        harness.publish(2, to: "/a/b", from: harness.socket())
        #expect(harness.take(peer) == [.message(2, on: "/a/b")])
    }

    @Test("Revoked: the session ends at once, and the token is refused wherever it is shown")
    func revocation() throws {
        let harness = try RouterHarness(rules: Self.rules())
        let alice = try Self.principal(id: "t1", in: harness)
        harness.caller = Self.caller(alice)
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a/b", from: peer)
        harness.connect(clientID, from: peer)
        _ = harness.take(peer)
        harness.revoke(.token("t2"))
        #expect(harness.take(peer) == [])
        harness.revoke(.token("t1"))
        let told = harness.take(peer)
        #expect(Self.error(told) == "401::Token revoked")
        #expect(Self.reconnect(told) == "none")
        #expect(told.last == .close)
        #expect(harness.sessionCount == 0)
        let exchange = harness.exchange()
        #expect(Self.error(harness.publish(1, to: "/a/b", from: exchange)) == "401::Token revoked")
        #expect(
            try harness.readRetained(of: "/a/b", for: harness.exchange())
                == [.retained(.failure(.tokenRevoked))])
    }

    @Test("All tokens of somebody that were made up to then are revoked, later ones are good")
    func subjectRevocation() throws {
        var revocations = Revocations()
        revocations.insert(.subject("alice", issuedUpTo: 1_000))
        func principal(_ subject: String, _ issuedAt: Int64?) -> Principal {
            Principal(subject: subject, issuedAt: issuedAt, expiresAt: .max)
        }
        #expect(revocations.cover(principal("alice", 1_000)))
        #expect(revocations.cover(principal("alice", nil)))
        #expect(!revocations.cover(principal("alice", 1_001)))
        #expect(!revocations.cover(principal("bob", 1)))
    }

    @Test("A session of before a restart gets nothing until its rights are known again")
    func restored() throws {
        let stored = StoredState.Session(
            clientID: "old", subscriptions: [try Self.pattern("/a/b"): 0], cursor: 0, acknowledges: false)
        for (holder, isGood) in [(nil, false), ("bob", true)] {
            let harness = try RouterHarness(rules: Self.rules(), sessions: [stored])
            harness.caller = .trusted
            harness.publish(1, to: "/a/b", from: harness.socket())
            harness.caller = Self.caller(try holder.map { try Self.principal($0, in: harness) })
            let events = harness.connect("old", from: harness.socket())
            #expect(events.contains(.message(1, on: "/a/b")) == isGood)
            #expect(Self.error(events) == (isGood ? nil : "401:old:Unknown client"))
            #expect(harness.sessionCount == (isGood ? 1 : 0))
        }
        let harness = try RouterHarness(rules: Self.rules(), sessions: [stored])
        harness.caller = Self.caller(nil)
        #expect(
            harness.take(harness.stream(of: "old")) == [
                .refuse(
                    BayeuxError(code: 401, arguments: ["old"], text: "Unknown client", reason: .unknownClient))
            ])
    }

    @Test("A handshake with a bad token is refused for good")
    func badToken() throws {
        let harness = try RouterHarness(rules: Self.rules())
        harness.caller = Self.caller(nil)
        harness.caller?.tokens[0] = .failure(.token("Token refused: no key for it"))
        let events = harness.send(
            [["channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"]]],
            from: harness.socket())
        #expect(Self.error(events) == "401::Token refused: no key for it")
        #expect(Self.reconnect(events) == "none")
        #expect(harness.sessionCount == 0)
    }
}

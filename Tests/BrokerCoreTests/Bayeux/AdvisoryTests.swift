import BrokerCore
import Support
import Testing

/// What went wrong in other brokers, and must not here.
@Suite("Advisories")
struct AdvisoryTests {
    private static func pattern(_ text: String) throws -> ChannelPattern {
        try ChannelPattern(text, grammar: .faye, maximumBytes: 512)
    }

    private static func errors(_ events: [RouterHarness.Event]) -> [String] {
        events.compactMap { event in
            if case .reply(let reply) = event { reply["error"]?.text } else { nil }
        }
    }

    private static func pushes(_ events: [RouterHarness.Event]) -> [JSON] {
        events.compactMap { if case .push(let message) = $0 { message } else { nil } }
    }

    /// Beginnings, continuations and other spellings of the names of meta channels.
    private static let metaNames: [String] = {
        let names = ["/meta/handshake", "/meta/connect", "/meta/subscribe", "/meta/unsubscribe", "/meta/disconnect"]
        let ends = ["/x", "x", "/", "/*", "/**", "//", " ", "\u{0}", "/../connect", "%00", "?x", "#x", ";x"]
        var all: [String] = []
        for name in names {
            for count in 1..<name.count { all.append(String(name.prefix(count))) }
            for end in ends { all.append(name + end) }
            all.append(name.uppercased())
            for start in ["/", " ", "/x"] { all.append(start + name) }
            all.append(String(name.dropFirst()))
        }
        return all
    }()

    @Test("CVE-2020-11020: what is not a meta channel's very name is none, and what is, is nothing else")
    func metaChannelsByOtherNames() throws {
        let harness = try RouterHarness(rules: AccessRules(publish: .nobody, subscribe: .everyone))
        harness.caller = Caller(isBrowser: true)
        let (peer, clientID) = harness.open()
        for name in Self.metaNames {
            let message: JSON = [
                "channel": .string(name), "clientId": .string(clientID), "data": 1, "subscription": "/a",
                "version": "1.0", "supportedConnectionTypes": ["websocket"], "connectionType": "websocket",
            ]
            let errors = Self.errors(harness.send([message], from: peer))
            #expect(errors.count == 1, "\(name) is refused")
            #expect(errors.first?.hasPrefix("40") == true, "\(name): \(errors)")
        }
        #expect(harness.subscriptionCount == 0)
        #expect(harness.sessionCount == 1)
    }

    @Test(
        "CVE-2021-32640: what strangers write is compared byte by byte; as texts each of these would take minutes",
        .timeLimit(.minutes(10)))
    func marksInDisorder() throws {
        let harness = try RouterHarness(rules: AccessRules())
        let (peer, clientID) = harness.open()
        // Texts are equal when they are after their marks were put in order, which is done by insertion.
        let marks = String(repeating: "\u{301}\u{323}", count: 500_000)
        let escaped = String(repeating: #"\u0301\u0323"#, count: 500_000)
        let messages = [
            #"{"channel":"/meta/connect","connectionType":"websocket","clientId":"\#(marks)"}"#,
            #"{"channel":"/meta/connect","connectionType":"\#(marks)","clientId":"\#(clientID)"}"#,
            #"{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["\#(marks)"]}"#,
            #"{"channel":"/a","data":1,"clientId":"\#(escaped)"}"#,
        ]
        for message in messages {
            let count = harness.send("[\(message)]", from: peer).count
            #expect(count == 1)
        }
        #expect(harness.sessionCount == 1)
    }

    @Test("NATS 2026-26: retained messages and histories of what is denied do not come by way of a pattern")
    func deniedPastBehindPatterns() throws {
        var policies = ChannelPolicies()
        policies[try Self.pattern("/**")] = ChannelPolicy(retain: true, historyCount: 10)
        var rules = AccessRules()
        rules.set(.subscribe, of: try Self.pattern("/a/secret"), to: .granted)
        let harness = try RouterHarness(policies: policies, rules: rules)
        harness.caller = .trusted
        harness.publish("secret", to: "/a/secret", from: harness.socket())
        harness.publish("open", to: "/a/open", from: harness.socket())
        harness.caller = Caller(isBrowser: true)
        let (peer, clientID) = harness.open()
        for pattern in ["/**", "/a/**", "/a/*", "/a/secret"] {
            let message: JSON = [
                "channel": "/meta/subscribe", "clientId": .string(clientID), "subscription": .string(pattern),
                "ext": ["replay": [pattern: -2]],
            ]
            let events = harness.send([message], from: peer)
            #expect(Self.errors(events) == ["403:\(pattern):Subscription denied"])
            #expect(Self.pushes(events) == [])
            #expect(harness.take(try harness.stream(of: pattern, replay: .everything)) != [.open])
        }
        let events = harness.subscribe(clientID, to: "/a/open", from: peer)
        #expect(Self.pushes(events).map { $0["data"] } == ["open"])
        #expect(harness.subscriptionCount == 1)
    }

    @Test("CVE-2026-33246: what only the broker says of a message, a publisher cannot say")
    func reservedFields() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: peer)
        let message: JSON = [
            "channel": "/a", "data": 1, "id": "7", "clientId": "somebody", "successful": true,
            "advice": ["reconnect": "none"],
            "ext": ["seq": 99, "epoch": "forged", "retained": true, "gap": ["from": 1, "to": 2], "user": "root"],
        ]
        harness.send([message], from: harness.socket())
        #expect(harness.take(peer) == [.message(1, on: "/a")])
    }

    @Test("CVE-2021-34434: a right that was revoked does not come back with a durable session")
    func revokedDurableSession() throws {
        let store = RememberingStore()
        let rules = AccessRules(publish: .granted, subscribe: .granted)
        func alice(in harness: RouterHarness) throws -> Principal {
            let patterns = [try Self.pattern("/a/**")]
            return Principal(
                subject: "alice", tokenID: "t1", publish: patterns, subscribe: patterns,
                expiresAt: harness.now.wall + 1_000_000)
        }
        let first = try RouterHarness(rules: rules, store: store)
        first.caller = Caller(principal: try alice(in: first), isBrowser: true)
        let (peer, clientID) = first.open()
        first.subscribe(clientID, to: "/a/b", from: peer)
        let left = store.sessions
        #expect(left.map(\.clientID) == [clientID])
        first.revoke(.token("t1"))
        #expect(store.sessions == [], "the session has ended in the store, too")

        // Even if the broker had been killed before that was written, nothing of it comes.
        let second = try RouterHarness(rules: rules, sessions: left, store: store)
        second.revoke(.token("t1"))
        second.caller = .trusted
        second.publish("news", to: "/a/b", from: second.socket())
        for principal in [nil, try alice(in: second)] {
            second.caller = Caller(principal: principal, isBrowser: true)
            let again = second.socket()
            let events = second.connect(clientID, from: again)
            #expect(Self.errors(events).first?.hasPrefix("401:") == true)
            #expect(Self.pushes(events) == [])
        }
    }

    @Test("CVE-2018-12546: of what is retained, one who was revoked gets nothing more")
    func revokedReaderOfRetained() throws {
        var policies = ChannelPolicies()
        policies[try Self.pattern("/**")] = ChannelPolicy(retain: true, historyCount: 10)
        let harness = try RouterHarness(policies: policies, rules: AccessRules(publish: .granted, subscribe: .granted))
        let patterns = [try Self.pattern("/a/**")]
        let alice = Caller(
            principal: Principal(
                subject: "alice", tokenID: "t1", publish: patterns, subscribe: patterns,
                expiresAt: harness.now.wall + 1_000_000), isBrowser: true)
        harness.caller = .trusted
        harness.publish("kept", to: "/a/b", from: harness.socket())
        harness.caller = alice
        let (_, clientID) = harness.open()
        harness.revoke(.token("t1"))
        let refused = BayeuxError.tokenRevoked
        #expect(try harness.readRetained(of: "/a/b", for: harness.exchange()) == [.retained(.failure(refused))])
        #expect(
            try harness.readHistory(of: "/a/b", after: 0, limit: 9, for: harness.exchange()) == [.noHistory(refused)])
        #expect(harness.take(try harness.stream(of: "/a/b", replay: .everything)) == [.refuse(refused)])
        let subscribed = harness.subscribe(clientID, to: "/a/b", from: harness.exchange())
        #expect(Self.pushes(subscribed) == [])
        #expect(harness.subscriptionCount == 0)
    }
}

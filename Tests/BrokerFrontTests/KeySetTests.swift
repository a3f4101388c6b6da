import BrokerCore
import Foundation
import JWTKit
import Logging
import NIOHTTP1
import Testing

@testable import BrokerFront

/// Sets of keys at addresses, from a server on this machine that rotates them, fails, or does not end.
@Suite("Key sets at addresses", .timeLimit(.minutes(10)))
struct KeySetTests {
    private static let now: Int64 = 1_700_000_000_000

    /// A key, and its name.
    private struct Key {
        let name: String
        let key = ES256PrivateKey()

        /// A member of a set.
        func json(use: String = "sig") throws -> String {
            let parameters = try #require(key.parameters)
            return #"{"kty":"EC","crv":"P-256","use":"\#(use)","kid":"\#(name)","x":"\#(parameters.x)","#
                + #""y":"\#(parameters.y)"}"#
        }

        /// A token that is signed with it.
        func token() async throws -> String {
            var claims = TokenClaims()
            claims.sub = "alice"
            claims.exp = Double(now / 1000 + 60)
            let keys = await JWTKeyCollection().add(ecdsa: key)
            return try await keys.sign(claims, header: ["alg": "ES256", "kid": .string(name)])
        }
    }

    private static func set(_ members: String...) -> KeyServer.Answer {
        .whole(#"{"keys":[\#(members.joined(separator: ","))]}"#)
    }

    private static func configuration(
        _ address: String, refresh: Duration = .seconds(3600), spacing: Duration = .milliseconds(1)
    ) -> BrokerConfiguration {
        var configuration = BrokerConfiguration()
        configuration.access.keySources = [address].compactMap(TokenKeySource.init)
        configuration.access.keySets.refreshInterval = refresh
        configuration.access.keySets.spacing = spacing
        configuration.access.keySets.timeout = .seconds(60)
        return configuration
    }

    private static func keyring(
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    ) -> TokenKeyring {
        TokenKeyring(logger: logger)
    }

    private static func reason(_ token: String, _ keyring: TokenKeyring) -> String? {
        if case .failure(let error) = keyring.verifier.verify(token, wall: now) { error.text } else { nil }
    }

    /// Fetches the set for a key that nobody has until what `server` answers now is taken for sure.
    private static func fetchAgain(_ keyring: TokenKeyring, from server: KeyServer) async throws {
        let stranger = try await Key(name: "nobody's").token()
        let count = server.arrivals.count
        for number in 1...2 {
            _ = reason(stranger, keyring)
            await server.requests(upTo: count + number)
        }
    }

    @Test("A key that is not there yet is looked for, and one that is gone is good no more")
    func rotation() async throws {
        let (old, new) = (Key(name: "old"), Key(name: "new"))
        try await KeyServer.run(Self.set(try old.json())) { server in
            let keyring = Self.keyring()
            keyring.adopt(try await keyring.prepare(Self.configuration(server.address), mayComeLater: false))
            let former = try await old.token()
            #expect(Self.reason(former, keyring) == nil)
            server.set(Self.set(try new.json()))
            let token = try await new.token()
            #expect(Self.reason(token, keyring) == "Token refused: no key for it yet, try again")
            await server.requests(upTo: 2)
            try await Self.fetchAgain(keyring, from: server)
            #expect(Self.reason(token, keyring) == nil)
            #expect(Self.reason(former, keyring) == "Token refused: no key for it yet, try again")
            keyring.adopt(try await keyring.prepare(BrokerConfiguration(), mayComeLater: false))
            #expect(!keyring.verifier.takesTokens)
        }
    }

    @Test("It is fetched again at an interval")
    func interval() async throws {
        let key = Key(name: "a")
        try await KeyServer.run(Self.set(try key.json())) { server in
            let keyring = Self.keyring()
            let configuration = Self.configuration(server.address, refresh: .milliseconds(2))
            keyring.adopt(try await keyring.prepare(configuration, mayComeLater: false))
            await server.requests(upTo: 3)
            keyring.adopt(try await keyring.prepare(BrokerConfiguration(), mayComeLater: false))
        }
    }

    @Test("However many tokens name keys that are not there, so much time is between two fetches")
    func spacing() async throws {
        let key = Key(name: "a")
        let spacing = Duration.milliseconds(200)
        try await KeyServer.run(Self.set(try key.json())) { server in
            let keyring = Self.keyring()
            let configuration = Self.configuration(server.address, spacing: spacing)
            keyring.adopt(try await keyring.prepare(configuration, mayComeLater: false))
            let stranger = try await Key(name: "b").token()
            while server.arrivals.count < 3 {
                #expect(Self.reason(stranger, keyring) == "Token refused: no key for it yet, try again")
                await Task.yield()
            }
            let arrivals = server.arrivals
            for (former, later) in zip(arrivals, arrivals.dropFirst()) {
                #expect(former.duration(to: later) >= spacing)
            }
            keyring.adopt(try await keyring.prepare(BrokerConfiguration(), mayComeLater: false))
        }
    }

    @Test("What was good stays when a fetch fails", arguments: ["500", "no JSON", "too much", "a redirection"])
    func failure(kind: String) async throws {
        let (key, other) = (Key(name: "a"), Key(name: "b"))
        let others = try other.json()
        try await KeyServer.run(Self.set(try key.json())) { server in
            try await KeyServer.run(Self.set(others)) { elsewhere in
                let keyring = Self.keyring()
                var configuration = Self.configuration(server.address)
                configuration.access.keySets.maximumBytes = 1000
                keyring.adopt(try await keyring.prepare(configuration, mayComeLater: false))
                let padding = String(repeating: "x", count: 1000)
                switch kind {
                case "500": server.set(.whole(#"{"keys":[\#(others)]}"#, status: .internalServerError))
                case "no JSON": server.set(.whole("<html>"))
                case "too much": server.set(.whole(#"{"keys":[\#(others)],"x":"\#(padding)"}"#))
                default: server.set(.redirect(to: elsewhere.address))
                }
                try await Self.fetchAgain(keyring, from: server)
                let token = try await other.token()
                #expect(Self.reason(try await key.token(), keyring) == nil)
                #expect(Self.reason(token, keyring) == "Token refused: no key for it yet, try again")
                #expect(elsewhere.arrivals.isEmpty)
                server.set(Self.set(others))
                try await Self.fetchAgain(keyring, from: server)
                #expect(Self.reason(token, keyring) == nil)
                keyring.adopt(try await keyring.prepare(BrokerConfiguration(), mayComeLater: false))
            }
        }
    }

    @Test("Without a first answer tokens wait, and the set is fetched until it comes")
    func firstFailure() async throws {
        let key = Key(name: "a")
        try await KeyServer.run(.whole("", status: .serviceUnavailable)) { server in
            let keyring = Self.keyring()
            let configuration = Self.configuration(server.address)
            await #expect(throws: TokenKeyError.self) {
                _ = try await keyring.prepare(configuration, mayComeLater: false)
            }
            keyring.adopt(try await keyring.prepare(configuration, mayComeLater: true))
            let token = try await key.token()
            #expect(Self.reason(token, keyring) == "Token refused: the broker waits for its keys, try again")
            #expect(keyring.verifier.takesTokens)
            server.set(Self.set(try key.json()))
            await server.requests(upTo: server.arrivals.count + 1)
            try await Self.fetchAgain(keyring, from: server)
            #expect(Self.reason(token, keyring) == nil)
            keyring.adopt(try await keyring.prepare(BrokerConfiguration(), mayComeLater: false))
        }
    }

    @Test("An answer has a size and a time")
    func bounds() async throws {
        try await KeyServer.run(.whole(String(repeating: " ", count: 1001))) { server in
            let fetcher = KeySetFetcher(deadline: .seconds(30), maximumBytes: 1000)
            let tooMuch = await #expect(throws: TokenKeyError.self) { try await fetcher.fetch(server.address) }
            #expect(tooMuch?.reason == "the answer has more than 1000 bytes")
            for answer in [KeyServer.Answer.endless, .silence] {
                server.set(answer)
                let fetcher = KeySetFetcher(deadline: .milliseconds(50), maximumBytes: 1000)
                let error = await #expect(throws: TokenKeyError.self) { try await fetcher.fetch(server.address) }
                #expect(error?.reason.contains("0.05 s") == true, "\(error.map(String.init(describing:)) ?? "")")
            }
            server.set(.whole("x", status: .notFound))
            let missing = await #expect(throws: TokenKeyError.self) { try await fetcher.fetch(server.address) }
            #expect(missing?.reason == "the answer is 404 Not Found")
        }
    }

    @Test("What a set has for others is passed over")
    func members() async throws {
        let (key, secret) = (Key(name: "a"), Key(name: "for encryption"))
        let source = try #require(TokenKeySource("https://login.example/keys"))
        let others = [
            try secret.json(use: "enc"), #"{"kty":"oct","k":"c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA"}"#,
            #"{"kty":"EC","crv":"P-256K","x":"a","y":"b"}"#, #"{"kty":"new","kid":"b"}"#,
            // The primes of this one would be searched for without end.
            #"{"kty":"RSA","kid":"c","n":"Aw","e":"AQ","d":"AQ"}"#,
        ]
        func keys(_ members: [String]) async throws -> TokenKeys.Answer {
            let text = #"{"keys":[\#(members.joined(separator: ","))]}"#
            return try await TokenKeys.keys(inAnswer: Data(text.utf8), from: source)
        }
        let answer = try await keys(others + [try key.json()])
        #expect(answer.keys.map(\.id) == ["a"])
        #expect(answer.passedOver == ["one without kid", "one without kid", "b", "c"])
        await #expect(throws: TokenKeyError.self) { _ = try await keys(others) }
        let many = try (1...65).map { try Key(name: "\($0)").json() }
        await #expect(throws: TokenKeyError.self) { _ = try await keys(many) }
    }

    @Test("Whoever looks for a key that was passed over finds its name in the log")
    func passedOverInLog() async throws {
        let log = RecordedLog()
        let others = try Self.set(#"{"kty":"RSA","kid":"short","n":"AQ","e":"AQAB"}"#, Key(name: "a").json())
        try await KeyServer.run(others) { server in
            _ = try await Self.keyring(logger: log.logger)
                .prepare(Self.configuration(server.address), mayComeLater: false)
        }
        let line = try #require(log.take().first)
        #expect(line.message == "took keys of tokens")
        #expect(line.fields["keys"] == "1")
        #expect(line.fields["passed-over"] == "short")
    }

    @Test(
        "Sources",
        arguments: [
            ("keys.pem", nil, "keys.pem"), ("/a=b", nil, "/a=b"), ("./a=b", nil, "./a=b"), ("me=keys", "me", "keys"),
            ("https://one.example=/keys", "https://one.example", "/keys"),
            ("https://one.example/keys", nil, "https://one.example/keys"),
            ("https://one.example/keys?a=b", nil, "https://one.example/keys?a=b"),
            ("me=https://one.example/keys?a=b", "me", "https://one.example/keys?a=b"),
            ("https://a.example=https://b.example:8443/k", "https://a.example", "https://b.example:8443/k"),
            ("http://[::1]:80/k", nil, "http://[::1]:80/k"),
        ] as [(String, String?, String)])
    func sources(text: String, issuer: String?, place: String) throws {
        let source = try #require(TokenKeySource(text))
        #expect(source.issuer == issuer)
        #expect(source.place == (place.hasPrefix("http") ? .address(place) : .file(place)))
        #expect(source.description == text)
    }

    @Test(
        "No sources",
        arguments: [
            "", "=", "me=", "=keys", "ftp://one.example/keys", "https://", "https:///keys",
            "https://a:b@one.example/keys",
            "https://one.example/keys#a", "https://one.example:0/keys", "https://one.example:99999/keys",
            "https://one example/keys", "me=file:///keys",
        ])
    func noSources(text: String) {
        #expect(TokenKeySource(text) == nil)
    }
}

import BrokerCore
import Foundation
import JWTKit
import Support
import Testing

@testable import BrokerFront

/// Which tokens are taken: a row for each way in which one can be wrong.
@Suite("Tokens")
struct TokenTests {
    private static let now: Int64 = 1_700_000_000_000
    private static let secret = "0123456789abcdef0123456789abcdef"

    /// A folder with keys, gone with the value.
    final class Folder {
        let url = FileManager.default.temporaryDirectory.appending(path: "fanfare-\(UUID().uuidString)")

        init() throws {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        }

        deinit {
            try? FileManager.default.removeItem(at: url)
        }

        func write(_ text: String, to name: String) throws -> String {
            let file = url.appending(path: name)
            try Data(text.utf8).write(to: file)
            return file.path
        }
    }

    private static func base64(_ bytes: some DataProtocol) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// A token with this header and these claims, as they are, signed with `key`.
    private static func token(_ header: String, _ claims: String, key: any JWTAlgorithm) throws -> String {
        let signed = base64(Data(header.utf8)) + "." + base64(Data(claims.utf8))
        return signed + "." + base64(try key.sign(Data(signed.utf8)))
    }

    private static func hmac(_ secret: String) async throws -> any JWTAlgorithm {
        try await JWTKeyCollection().add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256).getKey()
    }

    private static func verifier(_ files: [String], _ change: (inout TokenVerifier.Options) -> Void = { _ in })
        async throws -> TokenVerifier
    {
        var options = TokenVerifier.Options()
        change(&options)
        return TokenVerifier(
            keys: try await TokenKeys(sources: files.compactMap(TokenKeySource.init)), options: options)
    }

    private static func reason(_ result: Result<Principal, BayeuxError>) -> String? {
        if case .failure(let error) = result { error.text } else { nil }
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let claims: String
        var header = #"{"alg":"HS256"}"#
        /// Nil when it is taken.
        let reason: String?
        var testDescription: String { "\(header) \(claims)" }
    }

    static let good = #"{"sub":"alice","exp":1700003600}"#
    private static let marks = String(repeating: "\u{301}\u{323}", count: 16)
    private static let escapedMarks = String(repeating: #"\u0301\u0323"#, count: 16)
    static let rows = [
        Row(claims: good, reason: nil),
        Row(claims: #"{"sub":"alice","exp":1700003600.5,"nbf":1700000000,"iat":1700000000}"#, reason: nil),
        Row(claims: good, header: #"{"alg":"none"}"#, reason: "Token refused: no key for it"),
        Row(claims: good, header: #"{"alg":"nOnE"}"#, reason: "Token refused: no key for it"),
        Row(claims: good, header: #"{"alg":"RS256"}"#, reason: "Token refused: no key for it"),
        Row(claims: good, header: #"{"alg":"HS512"}"#, reason: "Token refused: no key for it"),
        Row(claims: good, header: #"{"alg":"hs256"}"#, reason: "Token refused: no key for it"),
        Row(claims: good, header: #"{}"#, reason: "Token refused: no key for it"),
        Row(claims: good, header: #"{"alg":"HS256","kid":"../../../../dev/null"}"#, reason: nil),
        Row(
            claims: good, header: #"{"alg":"HS256","crit":["x"],"x":1}"#, reason: "Token refused: crit is not supported"
        ),
        Row(claims: good, header: #"{"alg":"HS256","crit":"x"}"#, reason: "Token refused: crit is not supported"),
        // What nobody asks about is not read.
        Row(claims: good, header: #"{"alg":"HS256","x":1e300,"y":{"z":[1e19,-1e19]}}"#, reason: nil),
        Row(claims: good, header: #"{"alg":256}"#, reason: "Token refused: it cannot be read"),
        Row(claims: #"{"sub":"alice","exp":1700003600,"x":1e300}"#, reason: nil),
        // Each reader would take another one of the two.
        Row(
            claims: #"{"sub":"alice","exp":1700003600,"exp":1700003600}"#,
            reason: "Token refused: it says exp more than once"),
        Row(
            claims: #"{"sub":"alice","exp":1700003600,"x":{"a":[1,{}]},"\u0073ub":"bob"}"#,
            reason: "Token refused: it says sub more than once"),
        Row(
            claims: good, header: #"{"alg":"HS256","alg":"none"}"#, reason: "Token refused: it says alg more than once"),
        Row(claims: #"{"sub":"alice","exp":1700003600,"x":{"exp":1},"y":{"exp":1,"a":[]}}"#, reason: nil),
        Row(claims: good, header: "[]", reason: "Token refused: it cannot be read"),
        Row(claims: #"{"sub":"alice"}"#, reason: "Token refused: exp is missing"),
        Row(claims: #"{"exp":1700003600}"#, reason: "Token refused: sub is missing"),
        Row(claims: #"{"sub":"","exp":1700003600}"#, reason: "Token refused: sub is missing"),
        // What could not be taken back: the list of what was is made of lines.
        Row(claims: #"{"sub":"alice\u000asubject 1 bob","exp":1700003600}"#, reason: unnamable("sub")),
        Row(claims: #"{"sub":"\u001b[2J","exp":1700003600}"#, reason: unnamable("sub")),
        Row(claims: #"{"sub":"\u009b2J","exp":1700003600}"#, reason: unnamable("sub")),
        Row(claims: #"{"sub":"alice\u0000","exp":1700003600}"#, reason: unnamable("sub")),
        Row(claims: #"{"sub":"\#(String(repeating: "a", count: 1025))","exp":1700003600}"#, reason: unnamable("sub")),
        Row(claims: #"{"sub":"\#(String(repeating: "a", count: 1024))","exp":1700003600}"#, reason: nil),
        Row(claims: #"{"sub":"alice","jti":"a\u000d","exp":1700003600}"#, reason: unnamable("jti")),
        // More than 30 in a row, which are put in order whenever they are looked up: names, too, of what nobody asks about.
        Row(claims: #"{"sub":"alice","exp":1700003600,"\#(marks)":1}"#, reason: "Token refused: it cannot be read"),
        Row(claims: good, header: #"{"alg":"HS256","\#(marks)":1}"#, reason: "Token refused: it cannot be read"),
        Row(claims: good, header: #"{"alg":"HS256","\#(escapedMarks)":1}"#, reason: "Token refused: it cannot be read"),
        Row(claims: #"{"sub":"\#(escapedMarks)","exp":1700003600}"#, reason: overmarked("sub")),
        Row(claims: #"{"sub":"alice","jti":"\#(escapedMarks)","exp":1700003600}"#, reason: overmarked("jti")),
        Row(claims: #"{"sub":"a\u0301\u0323e\#u{301}","exp":1700003600}"#, reason: nil),
        Row(claims: #"{"sub":["alice"],"exp":1700003600}"#, reason: "Token refused: it cannot be read"),
        Row(claims: #"{"sub":"alice","exp":1700000000}"#, reason: "Token expired"),
        Row(claims: #"{"sub":"alice","exp":-1}"#, reason: "Token expired"),
        Row(claims: #"{"sub":"alice","exp":99999999999}"#, reason: "Token refused: exp is too far ahead"),
        Row(claims: #"{"sub":"alice","exp":1e300}"#, reason: "Token refused: exp is too far ahead"),
        Row(claims: #"{"sub":"alice","exp":"1700003600"}"#, reason: "Token refused: it cannot be read"),
        Row(claims: #"{"sub":"alice","exp":1700003600,"nbf":1700000006}"#, reason: "Token refused: nbf has not come"),
        Row(claims: #"{"sub":"alice","exp":1700003600,"iat":1700000006}"#, reason: "Token refused: iat has not come"),
        Row(
            claims: #"{"sub":"alice","exp":1700003600,"aud":"another"}"#, reason: "Token refused: aud is somebody else"),
        Row(claims: #"{"sub":"alice","exp":1700003600,"publish":"/a"}"#, reason: "Token refused: it cannot be read"),
        Row(
            claims: #"{"sub":"alice","exp":1700003600,"publish":["/a/**/b"]}"#,
            reason: "Token refused: publish names what is no channel or pattern"),
        Row(
            claims: #"{"sub":"alice","exp":1700003600,"subscribe":["*"]}"#,
            reason: "Token refused: subscribe names what is no channel or pattern"),
    ]

    private static func unnamable(_ claim: String) -> String {
        "Token refused: \(claim) is longer than 1024 bytes, or has control characters"
    }

    private static func overmarked(_ claim: String) -> String {
        "Token refused: \(claim) has more than 30 marks in a row"
    }

    @Test(
        "CVE-2026-44838: a subject is a name; whatever it looks like, no rule comes of it",
        arguments: ["/**", "/users/*", "*", "**", ".*", "{user}", "{sub}", "$1", "a/**", "..", "%2A", "root", "admin"])
    func subjects(subject: String) async throws {
        let folder = try Folder()
        let verifier = try await Self.verifier([folder.write(Self.secret, to: "secret")])
        let claims = #"{"sub":"\#(subject)","exp":1700003600}"#
        let token = try Self.token(#"{"alg":"HS256"}"#, claims, key: try await Self.hmac(Self.secret))
        let principal = try verifier.verify(token, wall: Self.now).get()
        #expect(principal.subject == subject)
        #expect(principal.publish == nil && principal.subscribe == nil && !principal.isAdmin)
        var rules = AccessRules(publish: .granted, subscribe: .granted)
        for text in ["/users/{user}/*", "/users/{sub}/*"] {
            let pattern = try ChannelPattern(text, grammar: .cometd, maximumBytes: 512)
            for verb in AccessVerb.allCases { rules.set(verb, of: pattern, to: .granted) }
        }
        let caller = Caller(principal: principal, isBrowser: false)
        for text in ["/a", "/users/a", "/users/{user}/a", "/users/{sub}/a", "/users/root/a", "/users/admin/a"] {
            let channel = try ChannelName(text, grammar: .cometd, maximumBytes: 512)
            for verb in AccessVerb.allCases { #expect(!rules.decide(verb, channel, caller).isAllowed) }
        }
        let everything = try ChannelPattern("/**", grammar: .cometd, maximumBytes: 512)
        #expect(!rules.decide(.subscribe, everything, caller).isAllowed)
    }

    @Test("A good signature is not enough", arguments: rows)
    func table(row: Row) async throws {
        let folder = try Folder()
        let verifier = try await Self.verifier([folder.write(Self.secret + "\n", to: "secret")])
        let token = try Self.token(row.header, row.claims, key: try await Self.hmac(Self.secret))
        #expect(Self.reason(verifier.verify(token, wall: Self.now)) == row.reason)
        // The second time it may come from what is remembered.
        #expect(Self.reason(verifier.verify(token, wall: Self.now)) == row.reason)
    }

    @Test("Without a good signature nothing is")
    func signatures() async throws {
        let folder = try Folder()
        let verifier = try await Self.verifier([folder.write(Self.secret, to: "secret")])
        let key = try await Self.hmac(Self.secret)
        let good = try Self.token(#"{"alg":"HS256"}"#, Self.good, key: key)
        let parts = good.split(separator: ".").map(String.init)
        let admin = Self.base64(Data(#"{"sub":"alice","exp":1700003600,"admin":true}"#.utf8))
        let other = try Self.token(
            #"{"alg":"HS256"}"#, Self.good, key: try await Self.hmac("another secret of thirty-two byte"))
        #expect(Self.reason(verifier.verify(good, wall: Self.now)) == nil)
        let forged = [
            "", ".", "..", "...", "a.b.c", parts[0] + "." + parts[1], parts[0] + "." + parts[1] + ".",
            parts[0] + "." + admin + "." + parts[2], parts[0] + "." + admin + ".", other, good + "A", good + ".",
            String(good.dropLast(4)), String(repeating: "a", count: 9_000),
        ]
        for token in forged {
            let reason = Self.reason(verifier.verify(token, wall: Self.now))
            #expect(reason?.hasPrefix("Token refused: ") == true, "\(token): \(reason ?? "taken")")
        }
        // What is remembered expires as well.
        #expect(Self.reason(verifier.verify(good, wall: Self.now + 3_600_000)) == "Token expired")
    }

    /// To the standard library the sign for kelvin and the letter are the same text, and have the same hash.
    @Test("A token that is not ASCII is none, also when one that means the same is remembered")
    func notPlain() async throws {
        let folder = try Folder()
        let verifier = try await Self.verifier([folder.write(Self.secret, to: "secret")])
        // Wherever these begin, there is a K in their Base64.
        let claims = #"{"sub":"(((((","exp":1700003600}"#
        let token = try Self.token(#"{"alg":"HS256"}"#, claims, key: try await Self.hmac(Self.secret))
        #expect(Self.reason(verifier.verify(token, wall: Self.now)) == nil)
        let other = token.replacing("K", with: "\u{212A}")
        #expect(other == token && other.utf8.count > token.utf8.count)
        #expect(Self.reason(verifier.verify(other, wall: Self.now)) == "Token refused: it cannot be read")
    }

    @Test("A token in which one character is another, is missing or comes twice is refused")
    func changes() async throws {
        let folder = try Folder()
        let verifier = try await Self.verifier([folder.write(Self.secret, to: "secret")])
        let good = Array(
            try Self.token(#"{"alg":"HS256"}"#, Self.good, key: try await Self.hmac(Self.secret)).utf8)
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=".utf8)
        var random = SeededGenerator(seed: 1)
        // The last character has bits that stand for nothing.
        for place in good.indices.dropLast() {
            var others = [[], [good[place], good[place]]]
            for _ in 0..<8 { others.append([alphabet.randomElement(using: &random) ?? 0]) }
            for other in others where other != [good[place]] {
                let changed = String(decoding: good[..<place] + other + good[(place + 1)...], as: UTF8.self)
                let reason = Self.reason(verifier.verify(changed, wall: Self.now))
                #expect(reason?.hasPrefix("Token refused: ") == true, "\(changed): \(reason ?? "taken")")
            }
        }
    }

    @Test("Keys of every kind, and no token chooses its algorithm")
    func kinds() async throws {
        let folder = try Folder()
        let (curve, edwards) = (ES256PrivateKey(), try EdDSA.PrivateKey())
        var claims = TokenClaims()
        claims.sub = "alice"
        claims.exp = Double(Self.now / 1000 + 60)
        for (name, secretPEM, publicPEM) in [
            ("ES256", curve.pemRepresentation, curve.publicKey.pemRepresentation),
            ("EdDSA", edwards.pemRepresentation, edwards.publicKey.pemRepresentation),
        ] {
            let privateFile = try folder.write(secretPEM, to: name)
            let publicFile = try folder.write(publicPEM, to: name + ".pub")
            let verifier = try await Self.verifier([publicFile])
            let token = try await TokenKeys.sign(claims, keyFile: privateFile)
            #expect(Self.reason(verifier.verify(token, wall: Self.now)) == nil)
            // The public key, which everybody has, taken for the secret of an HMAC.
            let forged = try Self.token(#"{"alg":"HS256"}"#, Self.good, key: try await Self.hmac(publicPEM))
            #expect(Self.reason(verifier.verify(forged, wall: Self.now)) == "Token refused: no key for it")
            let renamed = try Self.token("{\"alg\":\"\(name)\"}", Self.good, key: try await Self.hmac(publicPEM))
            #expect(Self.reason(verifier.verify(renamed, wall: Self.now)) == "Token refused: the signature is not good")
            await #expect(throws: TokenKeyError.self) { try await TokenKeys.sign(claims, keyFile: publicFile) }
        }
    }

    @Test("Two issuers may call their keys alike, and speak only for themselves")
    func issuers() async throws {
        let folder = try Folder()
        let (one, two) = (ES256PrivateKey(), ES256PrivateKey())
        func set(_ key: ES256PrivateKey, _ name: String) throws -> String {
            let parameters = try #require(key.parameters)
            let text = """
                {"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"k","x":"\(parameters.x)","y":"\(parameters.y)"}]}
                """
            return try folder.write(text, to: name)
        }
        let verifier = try await Self.verifier([
            "https://one.example=\(set(one, "one"))", "https://two.example=\(set(two, "two"))",
        ])
        func verify(_ key: ES256PrivateKey, _ issuer: String) async throws -> String? {
            let claims = #"{"sub":"alice","exp":1700003600,"iss":"\#(issuer)"}"#
            let algorithm = try await JWTKeyCollection().add(ecdsa: key).getKey()
            let token = try Self.token(#"{"alg":"ES256","kid":"k"}"#, claims, key: algorithm)
            return Self.reason(verifier.verify(token, wall: Self.now))
        }
        #expect(try await verify(one, "https://one.example") == nil)
        #expect(try await verify(two, "https://two.example") == nil)
        #expect(try await verify(one, "https://two.example") == "Token refused: the signature is not good")
        #expect(try await verify(one, "https://three.example") == "Token refused: no key for it")
    }

    @Test("Names of keys and issuers are bytes: another text that means the same is another name (RFC 7519 §2)")
    func namesThatMeanTheSame() async throws {
        let folder = try Folder()
        let key = ES256PrivateKey()
        let parameters = try #require(key.parameters)
        let file = try folder.write(
            #"{"kty":"EC","crv":"P-256","kid":"K","x":"\#(parameters.x)","y":"\#(parameters.y)"}"#, to: "key")
        let verifier = try await Self.verifier(["K=\(file)"])
        let algorithm = try await JWTKeyCollection().add(ecdsa: key).getKey()
        func verify(_ name: String, _ issuer: String) throws -> String? {
            let claims = #"{"sub":"alice","exp":1700003600,"iss":"\#(issuer)"}"#
            let token = try Self.token(#"{"alg":"ES256","kid":"\#(name)"}"#, claims, key: algorithm)
            return Self.reason(verifier.verify(token, wall: Self.now))
        }
        let kelvin = "\u{212A}"
        #expect(try verify("K", "K") == nil)
        #expect(try verify(kelvin, "K") == "Token refused: no key for it")
        #expect(try verify("K", kelvin) == "Token refused: no key for it")
    }

    @Test("Issuers and audiences that are asked for")
    func expectations() async throws {
        let folder = try Folder()
        let verifier = try await Self.verifier([folder.write(Self.secret, to: "secret")]) {
            $0.issuers = ["us"]
            $0.audiences = ["broker"]
        }
        let key = try await Self.hmac(Self.secret)
        for (rest, reason) in [
            (#""iss":"us","aud":"broker""#, nil), (#""iss":"us","aud":["x","broker"]"#, nil),
            (#""iss":"them","aud":"broker""#, "Token refused: iss is not one that is taken"),
            (#""aud":"broker""#, "Token refused: iss is not one that is taken"),
            (#""iss":"us","aud":"x""#, "Token refused: aud is somebody else"),
            (#""iss":"us""#, "Token refused: aud is missing"),
        ] {
            let token = try Self.token(#"{"alg":"HS256"}"#, #"{"sub":"a","exp":1700003600,\#(rest)}"#, key: key)
            #expect(Self.reason(verifier.verify(token, wall: Self.now)) == reason)
        }
    }

    @Test(
        "Files that hold no key",
        arguments: ["", "short", "{}", #"{"keys":[]}"#, "-----BEGIN PUBLIC KEY-----\nAAAA\n", "{"])
    func badFiles(text: String) async throws {
        let folder = try Folder()
        let file = try folder.write(text, to: "key")
        await #expect(throws: TokenKeyError.self) { try await TokenKeys(sources: [TokenKeySource(file: file)]) }
    }
}

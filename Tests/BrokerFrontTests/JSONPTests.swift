import BrokerFront
import Testing

@testable import BrokerFront

/// Callback-polling: requests that a page's script elements make (Bayeux 1.0 §6.3).
@Suite(.timeLimit(.minutes(10)))
struct JSONPTests {
    private static let handshake =
        #"[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["callback-polling"]}]"#

    /// A session of a page that has nothing but script elements.
    private struct ScriptClient {
        let socket: TestSocket
        let clientID: String

        init(at broker: TestBroker, subscribedTo channel: String) async throws {
            socket = try await broker.connect()
            let handshake = try await socket.script(JSONPTests.handshake)
            clientID = try #require(try Message.all(in: handshake).first?.clientId)
            let subscription = try await socket.script(
                #"{"channel":"/meta/subscribe","clientId":"\#(clientID)","subscription":"\#(channel)"}"#)
            #expect(try Message.all(in: subscription).map(\.successful) == [true])
            // The first connect of a session is answered at once.
            #expect(try Message.all(in: try await socket.script(connect)).map(\.channel) == ["/meta/connect"])
        }

        var connect: String {
            #"[{"channel":"/meta/connect","clientId":"\#(clientID)","connectionType":"callback-polling"}]"#
        }
    }

    @Test
    func answerIsAScript() async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let answer = try await socket.getScript("[]")
            #expect(answer.status == 200)
            #expect(answer.body == "/**/cb([]);")
            #expect(answer.headers["content-type"] == "text/javascript; charset=utf-8")
            #expect(answer.headers["content-disposition"] == "attachment; filename=f.txt")
            #expect(answer.headers["cache-control"] == "no-cache, no-store")
            #expect(answer.headers["x-content-type-options"] == "nosniff")
            #expect(answer.headers["content-length"] == "11")
        }
    }

    @Test(arguments: [1, 2])
    func heldConnectIsAnsweredWithMessages(threads: Int) async throws {
        try await TestBroker.run(threads: threads) { broker in
            let client = try await ScriptClient(at: broker, subscribedTo: "/script")
            let publisher = try await broker.connect()
            for number in 1...3 {
                try await client.socket.send(TestSocket.scriptRequest(client.connect))
                let receipt = try await publisher.script(#"{"channel":"/script","data":\#(number),"id":"a"}"#)
                #expect(try Message.all(in: receipt).map(\.successful) == [true])
                let json = try unwrap(try await client.socket.readAnswer().body)
                #expect(try Message.all(in: json).map(\.channel) == ["/meta/connect", "/script"])
                #expect(json.hasSuffix(#",{"channel":"/script","data":\#(number)}]"#))
            }
        }
    }

    /// A line separator would end the script's string in browsers older than ECMAScript 2019.
    @Test
    func lineSeparatorsAreEscaped() async throws {
        try await TestBroker.run { broker in
            let client = try await ScriptClient(at: broker, subscribedTo: "/lines")
            try await client.socket.send(TestSocket.scriptRequest(client.connect))
            let publisher = try await TestClient.open(at: broker)
            try await publisher.publish("\"a\u{2028}b\u{2029}c\u{2030}é\"", to: "/lines")
            let json = try unwrap(try await client.socket.readAnswer().body)
            #expect(json.hasSuffix(",{\"channel\":\"/lines\",\"data\":\"a\\u2028b\\u2029c\u{2030}é\"}]"))
        }
    }

    struct Row: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let target: String
        /// None: refused.
        var callback: String?
        var path = "/bayeux"
    }
    static let rows = [
        Row(testDescription: "a callback", target: "?message=%5B%5D&jsonp=a", callback: "a"),
        Row(testDescription: "a path of names", target: "?message=[]&jsonp=a.$_1.B2", callback: "a.$_1.B2"),
        Row(testDescription: "escaped", target: "?jsonp=%61%2eb&message=[]", callback: "a.b"),
        Row(testDescription: "no callback", target: "?message=[]", callback: "jsonpcallback"),
        Row(testDescription: "empty callback", target: "?message=[]&jsonp=", callback: "jsonpcallback"),
        Row(testDescription: "below the endpoint", target: "/connect?message=[]&jsonp=a", callback: "a"),
        Row(testDescription: "more parameters", target: "?x=y&message=[]&jsonp=a&_=1", callback: "a"),
        Row(testDescription: "a call", target: "?message=[]&jsonp=alert(1)"),
        Row(testDescription: "a line end", target: "?message=[]&jsonp=a%0Ab"),
        Row(testDescription: "a line end last", target: "?message=[]&jsonp=a%0A"),
        Row(testDescription: "markup", target: "?message=[]&jsonp=%3Cscript%3E"),
        Row(testDescription: "an index", target: "?message=[]&jsonp=a[0]"),
        Row(testDescription: "a letter beyond ASCII", target: "?message=[]&jsonp=%C3%BC"),
        Row(testDescription: "too long", target: "?message=[]&jsonp=" + String(repeating: "a", count: 129)),
        Row(testDescription: "no message", target: "?jsonp=a"),
        Row(testDescription: "no query", target: ""),
        Row(testDescription: "an empty message", target: "?message=&jsonp=a"),
        Row(testDescription: "no JSON", target: "?message=[&jsonp=a"),
        Row(testDescription: "no batch", target: "?message=1&jsonp=a"),
        Row(testDescription: "no UTF-8", target: "?message=%5B%22%FF%22%5D&jsonp=a"),
    ]

    @Test(arguments: rows)
    func request(row: Row) async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let answer = try await socket.request("GET", row.path + row.target, headers: [TestSocket.ownPage])
            if let callback = row.callback {
                #expect(answer.status == 200)
                #expect(answer.body == "/**/\(callback)([]);")
            } else {
                #expect(answer.status == 400)
                #expect(answer.headers["content-type"] == "text/plain; charset=utf-8")
                #expect(answer.headers["x-content-type-options"] == "nosniff")
                #expect(answer.body == "Bad request")
            }
            // The connection goes on.
            #expect(try await socket.script("[]") == "[]")
        }
    }

    @Test
    func switchedOff() async throws {
        try await TestBroker.run {
            $0.allowsCallbackPolling = false
        } _: { broker in
            let socket = try await broker.connect()
            let answer = try await socket.getScript("[]")
            #expect(answer.status == 403)
            #expect(answer.headers["content-type"] == "application/problem+json")
            #expect(try await socket.post("[]").body == "[]")
            // Nor is it offered to clients that could do something else.
            let types = #""supportedConnectionTypes":["callback-polling","long-polling"]"#
            let reply = try await socket.post(#"[{"channel":"/meta/handshake","version":"1.0",\#(types)}]"#).body
            #expect(reply.contains("long-polling") && !reply.contains("callback-polling"))
        }
    }

    struct Page: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var headers: [String: String] = [:]
        var allowed = ["https://good.example"]
        let isLetIn: Bool
    }
    static let pages = [
        Page(testDescription: "one of which nothing is said", isLetIn: false),
        Page(testDescription: "one whose address is left empty", headers: ["Referer": ""], isLetIn: false),
        Page(testDescription: "one of which nothing is said where all are allowed", allowed: ["*"], isLetIn: true),
        Page(testDescription: "an address that was typed", headers: ["Sec-Fetch-Site": "none"], isLetIn: true),
        Page(testDescription: "the broker's own page", headers: ["Sec-Fetch-Site": "same-origin"], isLetIn: true),
        Page(testDescription: "an allowed page", headers: ["Referer": "https://good.example/chat?x"], isLetIn: true),
        Page(
            testDescription: "an allowed page, by a modern browser",
            headers: ["Referer": "https://good.example/", "Sec-Fetch-Site": "cross-site"], isLetIn: true),
        Page(testDescription: "a page of the same host", headers: ["Referer": "http://broker.test/x"], isLetIn: true),
        Page(testDescription: "a page of this machine", headers: ["Referer": "http://localhost:3000/"], isLetIn: true),
        Page(testDescription: "a strange page", headers: ["Referer": "https://evil.example/"], isLetIn: false),
        Page(
            testDescription: "a strange page that names a good one",
            headers: ["Referer": "https://evil.example/?https://good.example/"], isLetIn: false),
        Page(
            testDescription: "a page that hides itself", headers: ["Sec-Fetch-Site": "cross-site"], isLetIn: false),
        Page(
            testDescription: "a page of another port that hides itself", headers: ["Sec-Fetch-Site": "same-site"],
            isLetIn: false),
        Page(testDescription: "a page that has no origin", headers: ["Referer": "about:client"], isLetIn: false),
        Page(testDescription: "an allowed origin", headers: ["Origin": "https://good.example"], isLetIn: true),
        Page(
            testDescription: "an origin counts, not the page's address",
            headers: ["Origin": "https://evil.example", "Referer": "https://good.example/"], isLetIn: false),
        Page(
            testDescription: "any page where all are allowed", headers: ["Sec-Fetch-Site": "cross-site"],
            allowed: ["*"], isLetIn: true),
    ]

    @Test(arguments: pages)
    func page(row: Page) async throws {
        try await TestBroker.run {
            $0.allowedOrigins = row.allowed
        } _: { broker in
            let subscriber = try await TestClient.open(at: broker, subscribedTo: "/**")
            let socket = try await broker.connect()
            let answer = try await socket.getScript(
                #"{"channel":"/from-a-page","data":1}"#, headers: row.headers.map { ($0.key, $0.value) })
            #expect(answer.status == (row.isLetIn ? 200 : 403))
            try await subscriber.publish("2", to: "/end")
            let first = row.isLetIn ? #"{"channel":"/from-a-page","data":1}"# : #"{"channel":"/end","data":2}"#
            #expect(try await subscriber.delivery() == first)
        }
    }

    /// Beyond loopback, where browsers send no `Sec-Fetch-Site` over plain HTTP, and pages need not send a `Referer`.
    @Test
    func pageThatHidesItself() async throws {
        try await TestBroker.run {
            $0.host = "0.0.0.0"
        } _: { broker in
            let socket = try await TestSocket.connect(to: broker.port)
            let refused = try await socket.getScript(Self.handshake, headers: [])
            #expect(refused.status == 403)
            #expect(refused.headers["content-type"] == "application/problem+json")
            #expect(refused.body.contains("Neither Referer nor Sec-Fetch-Site says which page asks"))
            // Nor with the function's default name, which a page can define as well.
            #expect(try await socket.request("GET", "/bayeux?message=[]").status == 403)
            let hidden = try await socket.getScript(Self.handshake, headers: [("Sec-Fetch-Site", "cross-site")])
            #expect(hidden.status == 403)
            #expect(hidden.body.contains("A page at an origin that it hides is not allowed"))
            #expect(try await socket.getScript(Self.handshake).status == 200)
        }
    }
}

/// The script itself.
struct JSONPCallbackTests {
    static let names = [
        "a", "_", "$", "A9", "a.b", "$.$.$", "jQuery123_456", "__jsonp1__", "org.cometd.x", "function",
        String(repeating: "a", count: 128),
    ]
    static let others = [
        ".", "a.", ".a", "a..b", "1", "a.1", "a b", " a", "a ", "a\n", "\na", "a\u{2028}", "a;b", "a(", "a[1]", "a'",
        "ä",
        "a\0", "-a", "@", "[", "`", "{", "\u{212A}", "\u{131}", String(repeating: "a", count: 129),
    ]

    @Test(arguments: names)
    func name(name: String) {
        #expect(JSONPCallback(parameter: name)?.name == name)
    }

    @Test(arguments: others)
    func noName(name: String) {
        #expect(JSONPCallback(parameter: name) == nil)
    }

    @Test(arguments: [nil, ""])
    func defaultName(parameter: String?) {
        #expect(JSONPCallback(parameter: parameter)?.name == "jsonpcallback")
    }

    @Test(arguments: [
        ("[]", "[]"), ("", ""), ("\u{2028}", "\\u2028"), ("\u{2029}", "\\u2029"),
        ("\u{2027}\u{202A}", "\u{2027}\u{202A}"),
        ("€\u{2028}\u{2029}€", "€\\u2028\\u2029€"), ("a\u{2028}b\u{2030}c\u{2029}", "a\\u2028b\u{2030}c\\u2029"),
    ])
    func script(json: String, argument: String) throws {
        let callback = try #require(JSONPCallback(parameter: "f"))
        #expect(String(decoding: callback.script(calling: Array(json.utf8)), as: UTF8.self) == "/**/f(\(argument));")
    }

    /// Whatever the bytes are, there is a script.
    @Test(arguments: [[0xE2], [0xE2, 0x80], [0xE2, 0xE2, 0x80, 0xA8], [0xE2, 0x80, 0xE2, 0x80, 0xA9]] as [[UInt8]])
    func brokenCharacter(bytes: [UInt8]) throws {
        let callback = try #require(JSONPCallback(parameter: "f"))
        let script = callback.script(calling: bytes)
        let escaped = String(decoding: bytes, as: UTF8.self)
            .replacing("\u{2028}", with: "\\u2028").replacing("\u{2029}", with: "\\u2029")
        #expect(String(decoding: script, as: UTF8.self) == "/**/f(\(escaped));")
    }
}

extension TestSocket {
    /// The bytes of a request for a script with the answer to a batch, of a page of the same host.
    static func scriptRequest(_ batch: String, headers: [(String, String)] = [TestSocket.ownPage]) -> String {
        let isPlain: (UInt8) -> Bool = { $0 > 0x20 && $0 < 0x7F && !"%&+#".utf8.contains($0) }
        let escaped = batch.utf8.map { isPlain($0) ? String(UnicodeScalar($0)) : "%" + String($0, radix: 16) }.joined()
        return request("GET", "/bayeux?message=\(escaped)&jsonp=cb", headers: headers)
    }

    /// Sends a batch as a script element does.
    func getScript(_ batch: String, headers: [(String, String)] = [TestSocket.ownPage]) async throws -> HTTPAnswer {
        try await send(Self.scriptRequest(batch, headers: headers))
        return try await readAnswer()
    }

    /// What a batch is answered with.
    func script(_ batch: String) async throws -> String {
        try unwrap(try await getScript(batch).body)
    }
}

/// What the function in `script` is called with.
private func unwrap(_ script: String) throws -> String {
    guard script.hasPrefix("/**/cb("), script.hasSuffix(");") else { throw Missing("a call in \(script)") }
    return String(script.dropFirst(7).dropLast(2))
}

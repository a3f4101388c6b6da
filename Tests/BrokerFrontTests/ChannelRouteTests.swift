import BrokerFront
import Foundation
import Testing

/// `/channels/…`: publishing and reading with nothing but HTTP.
@Suite(.timeLimit(.minutes(10)))
struct ChannelRouteTests {
    private struct Receipt: Decodable, Equatable {
        let id: String
        let channel: String
        let seq: Int?
        let matched: Int

        init(_ answer: HTTPAnswer) throws {
            self = try JSONDecoder().decode(Receipt.self, from: Data(answer.body.utf8))
        }
    }

    static let documents = ["1", "null", "\"text\"", "[1, 2]", "{\"a\": {\"b\": \"ü\"}}", " {}\n", nested(62)]

    /// As deep as a document may be, for it is delivered within two brackets more, or deeper.
    private static func nested(_ depth: Int) -> String {
        String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }

    @Test(arguments: documents, [1, 2])
    func publish(document: String, threads: Int) async throws {
        try await TestBroker.run(threads: threads) { broker in
            let subscriber = try await TestClient.open(at: broker, subscribedTo: "/news/*")
            let socket = try await broker.connect()
            let answer = try await socket.request("POST", "/channels/news/today", body: document)
            #expect(answer.status == 200)
            let receipt = try Receipt(answer)
            #expect(receipt.channel == "/news/today")
            #expect(receipt.seq == nil)
            #expect(receipt.matched == 1)
            let data = document.trimmingCharacters(in: .whitespacesAndNewlines)
            #expect(try await subscriber.delivery() == #"{"channel":"/news/today","data":\#(data)}"#)
        }
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        var testDescription: String { "\(target) \(body)" }
        var target = "/channels/news"
        var body = "1"
        var status = 400
    }
    static let refusals = [
        Refusal(body: ""), Refusal(body: "{"), Refusal(body: "{]"), Refusal(body: "nul"), Refusal(body: "1 2"),
        // What would change the delivered message if the body were put into it unread.
        Refusal(body: #"1,"channel":"/injected""#), Refusal(body: #"1},{"channel":"/injected","data":2"#),
        Refusal(body: #"1}]"#), Refusal(body: #"1,"ext":{"retained":true}"#), Refusal(body: "1\u{0}"),
        Refusal(body: "/* */ 1"), Refusal(body: nested(63)),
        Refusal(target: "/channels"), Refusal(target: "/channels/"), Refusal(target: "/channels//a"),
        Refusal(target: "/channels/a/"), Refusal(target: "/channels/a.b"), Refusal(target: "/channels/a/*"),
        Refusal(target: "/channels/a%20b"), Refusal(target: "/channels/a%22b"), Refusal(target: "/channels/a%0A"),
        Refusal(target: "/channels/meta/connect", status: 403), Refusal(target: "/channels/service/a", status: 403),
        Refusal(target: "/channels/meta", status: 403),
        Refusal(target: "/channels/a?retain=maybe"), Refusal(target: "/channels/a?ttl=soon"),
        Refusal(target: "/channels/a?ttl=-1"), Refusal(target: "/channels/a?ttl=nan"),
    ]

    @Test(arguments: refusals)
    func refused(row: Refusal) async throws {
        try await TestBroker.run { broker in
            let subscriber = try await TestClient.open(at: broker, subscribedTo: "/**")
            let socket = try await broker.connect()
            let answer = try await socket.request("POST", row.target, body: row.body)
            #expect(answer.status == (row.target == "/channels" ? 404 : row.status))
            #expect(answer.headers["content-type"] == "application/problem+json")
            // The connection goes on, and nothing was published but this.
            #expect(try await socket.request("POST", "/channels/good", body: "2").status == 200)
            #expect(try await subscriber.delivery() == #"{"channel":"/good","data":2}"#)
        }
    }

    @Test
    func bodyThatIsNotUTF8IsRefused() async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let head = "POST /channels/news HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
            try await socket.send(Array(head.utf8) + [0x22, 0xC3, 0x28, 0x22])
            #expect(try await socket.readAnswer().status == 400)
        }
    }

    @Test
    func escapedNameIsDecoded() async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let answer = try await socket.request("POST", "/channels/%61/(b)", body: "1")
            #expect(try Receipt(answer).channel == "/a/(b)")
        }
    }

    struct Retention: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var query = ""
        var headers: [String: String] = [:]
    }
    static let retentions = [
        Retention(testDescription: "query", query: "?retain=true"),
        Retention(testDescription: "query without a value", query: "?retain"),
        Retention(testDescription: "header", headers: ["Retain": "1"]),
        Retention(testDescription: "with a ttl", query: "?retain=1&ttl=1000"),
    ]

    @Test(arguments: retentions, [1, 2])
    func retain(row: Retention, threads: Int) async throws {
        try await TestBroker.run(threads: threads) { broker in
            let socket = try await broker.connect()
            #expect(try await socket.request("GET", "/channels/kept").status == 404)
            let answer = try await socket.request(
                "POST", "/channels/kept" + row.query, headers: row.headers.map { ($0.key, $0.value) },
                body: #"{"kept":true}"#)
            #expect(try Receipt(answer).seq == 1)

            let found = try await socket.request("GET", "/channels/kept")
            #expect(found.status == 200)
            #expect(found.body == "{\"kept\":true}\n")
            #expect(found.headers["fanfare-seq"] == "1")
            let head = try await socket.request("HEAD", "/channels/kept")
            #expect(head.status == 200)
            #expect(head.headers["content-length"] == "14")

            let subscriber = try await TestClient.open(at: broker, subscribedTo: "/kept")
            #expect(
                try await subscriber.delivery()
                    == #"{"channel":"/kept","data":{"kept":true},"ext":{"seq":1,"epoch":"epoch","retained":true}}"#)

            #expect(try Receipt(try await socket.request("POST", "/channels/kept?retain", body: "null")).seq == 2)
            #expect(try await socket.request("GET", "/channels/kept").status == 404)
        }
    }

    @Test
    func retainedMessageExpires() async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            #expect(try await socket.request("POST", "/channels/kept?retain&ttl=0.2", body: "1").status == 200)
            #expect(try await socket.request("POST", "/channels/long?retain&ttl=1000", body: "1").status == 200)
            while try await socket.request("GET", "/channels/kept").status == 200 {}
            #expect(try await socket.request("GET", "/channels/long").status == 200)
        }
    }

    struct Other: CustomTestStringConvertible, Sendable {
        var testDescription: String { "\(method) \(target)" }
        let method: String
        let target: String
        let status: Int
        var type: String?
        var text = ""
    }
    static let others = [
        Other(method: "GET", target: "/", status: 200, type: "text/html; charset=utf-8", text: "<html"),
        Other(method: "GET", target: "/?x", status: 200, type: "text/html; charset=utf-8", text: "page.js"),
        Other(
            method: "GET", target: "/fanfare.js", status: 200, type: "text/javascript; charset=utf-8", text: "export"),
        Other(
            method: "GET", target: "/fanfare-fallback.js?1", status: 200, type: "text/javascript; charset=utf-8",
            text: "EventSource"),
        Other(
            method: "GET", target: "/fanfare-resume.js", status: 200, type: "text/javascript; charset=utf-8",
            text: "sessionStorage"),
        Other(
            method: "GET", target: "/fanfare-ticker.js", status: 200, type: "text/javascript; charset=utf-8",
            text: "Worker"),
        Other(method: "GET", target: "/page.js", status: 200, type: "text/javascript; charset=utf-8", text: "connect"),
        Other(method: "GET", target: "/page.css", status: 200, type: "text/css; charset=utf-8", text: "body"),
        Other(
            method: "GET", target: "/fanfare-tabs.js", status: 200, type: "text/javascript; charset=utf-8",
            text: "BroadcastChannel"),
        Other(
            method: "GET", target: "/fanfare-token.js", status: 200, type: "text/javascript; charset=utf-8",
            text: "fetchToken"),
        Other(
            method: "GET", target: "/fanfare.d.ts", status: 200, type: "text/plain; charset=utf-8",
            text: "export class Fanfare"),
        Other(method: "HEAD", target: "/fanfare.js", status: 200, type: "text/javascript; charset=utf-8"),
        Other(method: "GET", target: "/health/live", status: 200, type: "application/json; charset=utf-8", text: "ok"),
        Other(method: "GET", target: "/health/ready", status: 200, type: "application/json; charset=utf-8", text: "ok"),
        Other(method: "GET", target: "/../etc/passwd", status: 404),
        Other(method: "GET", target: "/nowhere", status: 404),
        Other(method: "POST", target: "/", status: 405), Other(method: "DELETE", target: "/fanfare.js", status: 405),
        Other(method: "PUT", target: "/channels/a", status: 405),
    ]

    @Test(arguments: others)
    func otherRequest(row: Other) async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let answer = try await socket.request(row.method, row.target)
            #expect(answer.status == row.status)
            #expect(row.type == nil || answer.headers["content-type"] == row.type)
            #expect(row.text.isEmpty || answer.body.contains(row.text))
            #expect(!answer.isLast)
        }
    }

    @Test
    func pageSwitchedOff() async throws {
        try await TestBroker.run {
            $0.servesPage = false
        } _: { broker in
            let socket = try await broker.connect()
            for path in ["/", "/page.css", "/page.js"] { #expect(try await socket.request("GET", path).status == 404) }
            #expect(try await socket.request("GET", "/fanfare.js").status == 200)
        }
    }

    @Test
    func originsOfPages() async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            for target in ["/", "/channels/a", "/bayeux"] {
                let answer = try await socket.request("GET", target, headers: [("Origin", "https://evil.example")])
                #expect(answer.status == 403)
                #expect(answer.headers["access-control-allow-origin"] == nil)
            }
            let origin = "http://localhost:3000"
            let answer = try await socket.request("POST", "/channels/a", headers: [("Origin", origin)], body: "1")
            #expect(answer.headers["access-control-allow-origin"] == origin)
            #expect(answer.headers["access-control-allow-credentials"] == "true")
            #expect(answer.headers["vary"] == "Origin")
            let preflight = try await socket.request("OPTIONS", "/bayeux", headers: [("Origin", origin)])
            #expect(preflight.status == 200)
            #expect(preflight.headers["access-control-allow-methods"] == "POST, GET")
        }
    }
}

import Crypto
import Testing

@testable import BrokerFront

/// The browser client beside and below the endpoint, as Faye has its own there.
@Suite(.timeLimit(.minutes(10)))
struct MountedClientTests {
    private static func get(
        _ path: String, over socket: TestSocket, _ headers: (String, String)...
    ) async throws -> HTTPAnswer {
        try await socket.request("GET", path, headers: headers)
    }

    @Test(arguments: ["/bayeux.js", "/bayeux/client.js", "/bayeux/client.js?v=1"], ["GET", "HEAD"])
    func served(path: String, method: String) async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let client = try await socket.request(method, "/fanfare.js")
            let answer = try await socket.request(method, path)
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "text/javascript; charset=utf-8")
            #expect(answer.body == client.body)
            let tag = try #require(answer.headers["etag"])
            #expect(tag.wholeMatch(of: /[0-9a-f]{40}/) != nil)
            #expect(answer.headers["last-modified"] == client.headers["last-modified"])
        }
    }

    @Test
    func tagIsTheDigest() async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let answer = try await Self.get("/bayeux.js", over: socket)
            let digest = Insecure.SHA1.hash(data: Array(answer.body.utf8))
            #expect("SHA1 digest: \(answer.headers["etag"] ?? "")" == digest.description)
        }
    }

    @Test(arguments: ["/bayeux.js", "/bayeux/client.js", "/fanfare.js", "/page.css"])
    func knownByTagOrDate(path: String) async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let first = try await Self.get(path, over: socket)
            let tag = try #require(first.headers["etag"])
            let date = try #require(first.headers["last-modified"])
            for (name, value, status) in [
                ("If-None-Match", tag, 304), ("If-None-Match", "other, " + tag, 304), ("If-None-Match", "other", 200),
                ("If-Modified-Since", date, 304), ("If-Modified-Since", "Fri, 31 Dec 2360 23:59:59 GMT", 304),
                ("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT", 200),
                ("If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT", 200),
                ("If-Modified-Since", "soon", 200), ("If-Modified-Since", "", 200),
            ] {
                let again = try await Self.get(path, over: socket, (name, value))
                #expect(again.status == status, "\(name): \(value)")
                #expect(again.body.isEmpty == (status == 304))
                #expect(again.headers["etag"] == tag)
                #expect(again.headers["last-modified"] == date)
            }
            // The tag decides when there is one (RFC 9110 §13.2.2).
            let both = try await Self.get(path, over: socket, ("If-None-Match", "other"), ("If-Modified-Since", date))
            #expect(both.status == 200)
        }
    }

    /// What the client loads lies beside it; nothing else does.
    @Test
    func beside() async throws {
        try await TestBroker.run {
            $0.endpoint = "/push/here"
        } _: { broker in
            let socket = try await broker.connect()
            for path in ["/push/here.js", "/push/here/client.js", "/push/here/fanfare-fallback.js", "/fanfare.js"] {
                #expect(try await Self.get(path, over: socket).status == 200, "\(path)")
            }
            for path in [
                "/bayeux.js", "/push/here/other.js", "/push/here/page.js", "/push/here/client.js.map",
                "/push/here/a/client.js", "/push/here/fanfare-none.js",
            ] {
                #expect(try await Self.get(path, over: socket).status == 404, "\(path)")
            }
        }
    }

    struct Condition: CustomTestStringConvertible, Sendable {
        var testDescription: String { text }
        let text: String
        let isKnown: Bool
    }
    static let conditions = [
        Condition(text: "Sun, 06 Nov 1994 08:49:37 GMT", isKnown: true),
        Condition(text: "Sun, 06 Nov 1994 08:49:38 GMT", isKnown: true),
        Condition(text: "Sun, 06 Nov 1994 08:49:36 GMT", isKnown: false),
        Condition(text: "Sunday, 06-Nov-94 08:49:37 GMT", isKnown: true),
        Condition(text: "Sun Nov  6 08:49:37 1994", isKnown: true),
        Condition(text: "Sun Nov  6 08:49:36 1994", isKnown: false),
        Condition(text: "Sun, 06 Nov 2094 08:49:37 GMT and more", isKnown: false),
        Condition(text: "784111777", isKnown: false), Condition(text: "", isKnown: false),
    ]

    @Test(arguments: conditions)
    func date(row: Condition) {
        let date = FileDate(at: 784_111_777_999)
        #expect(date.text == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(date.isKnown(since: row.text) == row.isKnown)
    }
}

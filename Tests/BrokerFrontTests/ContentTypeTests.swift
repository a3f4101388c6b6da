import BrokerFront
import Testing

@testable import BrokerFront

/// Where a request keeps its batch.
@Suite(.timeLimit(.minutes(10)))
struct ContentTypeTests {
    struct Row: CustomTestStringConvertible, Sendable {
        var testDescription: String { "\(type ?? "none"): \(body)" }
        var type: String?
        let body: String
        var isRead = true
    }
    private static let batch = #"[{"channel":"/a","data":"b c+d&e%"}]"#
    private static let field = "message=%5B%7B%22channel%22%3A%22/a%22,%22data%22%3A%22b+c%2Bd%26e%25%22%7D%5D"
    static let rows = [
        Row(type: "application/json", body: batch),
        Row(type: "application/json; charset=UTF-8", body: batch),
        Row(type: "application/json;charset=utf-8;x=y", body: batch),
        Row(type: "Application/JSON", body: batch),
        Row(type: " application/json\t ; charset=utf-8", body: batch),
        Row(type: "application/json", body: field, isRead: false),
        Row(type: "application/json", body: "", isRead: false),
        Row(type: "application/jsonx", body: batch, isRead: false),
        Row(type: "application/ json", body: batch, isRead: false),
        Row(type: "text/json", body: batch, isRead: false),
        Row(type: nil, body: field),
        Row(type: "", body: field),
        Row(type: "text/plain", body: field),
        Row(type: "text/plain;charset=UTF-8", body: field),
        Row(type: "application/xml", body: field),
        Row(type: "application/x-www-form-urlencoded", body: field),
        Row(type: "application/x-www-form-urlencoded", body: "a=b&" + field + "&c"),
        Row(type: "text/plain", body: "%6d%65ssage=" + field.dropFirst(8)),
        Row(type: "text/plain", body: batch, isRead: false),
        Row(type: "text/plain", body: "", isRead: false),
        Row(type: "text/plain", body: "message", isRead: false),
        Row(type: "text/plain", body: "message=", isRead: false),
        Row(type: "text/plain", body: "message=%5B", isRead: false),
        Row(type: "text/plain", body: "Message=%5B%5D", isRead: false),
        // What is no UTF-8 is not repaired.
        Row(type: "text/plain", body: "message=%5B%22%C3%28%22%5D", isRead: false),
    ]

    @Test(arguments: rows)
    func post(row: Row) async throws {
        try await TestBroker.run { broker in
            let subscriber = try await TestClient.open(at: broker, subscribedTo: "/**")
            let socket = try await broker.connect()
            let answer = try await socket.request(
                "POST", "/bayeux", headers: row.type.map { [("Content-Type", $0)] } ?? [], body: row.body)
            if row.isRead {
                #expect(answer.status == 200)
                #expect(answer.headers["content-type"] == "application/json; charset=utf-8")
                #expect(answer.headers["cache-control"] == "no-cache, no-store")
                #expect(answer.headers["x-content-type-options"] == "nosniff")
                #expect(try Message.all(in: answer.body).map(\.successful) == [true])
                #expect(try await subscriber.delivery() == #"{"channel":"/a","data":"b c+d&e%"}"#)
            } else {
                #expect(answer.status == 400)
                #expect(answer.headers["content-type"] == "text/plain; charset=utf-8")
                #expect(answer.body == "Bad request")
            }
        }
    }

    /// 200, even if every message failed.
    @Test
    func failedMessages() async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let answer = try await socket.post(#"[{"channel":"/a.b","data":1},{"channel":"/meta/connect"}]"#)
            #expect(answer.status == 200)
            #expect(try Message.all(in: answer.body).map(\.successful) == [false, false])
        }
    }

    struct Path: CustomTestStringConvertible, Sendable {
        var testDescription: String { path }
        let path: String
        var status = 200
    }
    static let paths = [
        Path(path: "/bayeux"), Path(path: "/bayeux/"), Path(path: "/bayeux/handshake"), Path(path: "/bayeux/connect"),
        Path(path: "/bayeux/a/b//c"), Path(path: "/bayeux?a=b"), Path(path: "/bayeux.json"),
        Path(path: "http://broker.test/bayeux"), Path(path: "http://broker.test/bayeux/connect?x"),
        // The browser client: see MountedClientTests.
        Path(path: "/bayeux.js", status: 405), Path(path: "/bayeux/client.js", status: 405),
        Path(path: "/bayeux/handshake.js", status: 404), Path(path: "/bayeux.js.map", status: 404),
        Path(path: "/bayeuxx", status: 404), Path(path: "/bayeux..a", status: 404),
        Path(path: "/x/bayeux", status: 404),
        Path(path: "/Bayeux", status: 404), Path(path: "/bayeux%2Fconnect", status: 404),
        Path(path: "http://broker.test", status: 405),
    ]

    @Test(arguments: paths)
    func path(row: Path) async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let answer = try await socket.request(
                "POST", row.path, headers: [("Content-Type", "application/json")], body: "[]")
            #expect(answer.status == row.status)
            if row.status == 200 {
                #expect(answer.body == "[]")
            } else {
                #expect(answer.headers["content-type"] == "application/problem+json")
            }
        }
    }

    /// An empty batch, as with Faye for Node.
    @Test
    func null() async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            for body in ["null", " null\n"] {
                let answer = try await socket.post(body)
                #expect(answer.status == 200)
                #expect(answer.headers["content-type"] == "application/json; charset=utf-8")
                #expect(answer.body == "[]")
            }
            let script = try await socket.request("GET", "/bayeux?message=null&jsonp=a", headers: [TestSocket.ownPage])
            #expect(script.status == 200)
            #expect(script.body == "/**/a([]);")
            for body in ["nul", "null 1", "1", "true", "\"null\""] {
                #expect(try await socket.post(body).status == 400, "\(body)")
            }
        }
    }

    /// What is no method that a parser knows is refused before its path is known.
    @Test(arguments: ["FOO", "ge"])
    func unknownMethod(method: String) async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let answer = try await socket.request(method, "/bayeux", body: "[]")
            #expect(answer.status == 400)
            #expect(answer.headers["content-type"] == "text/plain; charset=utf-8")
            #expect(answer.body == "Bad request")
            #expect(answer.isLast)
        }
    }

    @Test(arguments: ["PUT", "DELETE", "PATCH", "HEAD", "TRACE", "PROPFIND"])
    func otherMethods(method: String) async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let answer = try await socket.request(
                method, "/bayeux?message=[]", headers: [("Content-Type", "application/json")])
            #expect(answer.status == 400)
            #expect(answer.headers["content-length"] == "11")
            #expect(try await socket.post("[]").body == "[]")
        }
    }
}

/// Fields of queries and forms.
struct FormFieldTests {
    struct Row: CustomTestStringConvertible, Sendable {
        var testDescription: String { text }
        let text: String
        var value: String?
    }
    static let rows = [
        Row(text: ""), Row(text: "&"), Row(text: "a"), Row(text: "=m"), Row(text: "mm=1"), Row(text: "a=m"),
        Row(text: "m", value: ""), Row(text: "m=", value: ""), Row(text: "m=1", value: "1"),
        Row(text: "m=1=2", value: "1=2"), Row(text: "a&m=1", value: "1"), Row(text: "m=1&m=2", value: "1"),
        Row(text: "&&m=1&&", value: "1"), Row(text: "%6D=1", value: "1"), Row(text: "m=a+b%2B%26", value: "a b+&"),
        Row(text: "m=%", value: "%"), Row(text: "m=%a", value: "%a"), Row(text: "m=%%41", value: "%A"),
        Row(text: "m=%4%41", value: "%4A"), Row(text: "%6d", value: ""), Row(text: "%6Dm=1&%6d=2&m=3", value: "2"),
    ]

    @Test(arguments: rows)
    func first(row: Row) {
        #expect(FormField.first("m", in: row.text.utf8) == row.value.map { Array($0.utf8) })
    }

    @Test
    func bytesAreKept() {
        #expect(FormField.first("m", in: "m=%FF%00%80".utf8) == [0xFF, 0, 0x80])
    }
}

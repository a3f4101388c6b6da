import Testing

@testable import Driver

/// URLs (RFC 6455 §3).
@Suite struct WebSocketURLTests {
    struct Row: Sendable {
        var text: String
        var isSecure = false
        var host: String
        var port: UInt16
        var authority: String
        var target: String
        var credentials: String?
    }

    @Test(arguments: [
        Row(text: "ws://example.com", host: "example.com", port: 80, authority: "example.com", target: "/"),
        Row(text: "WSS://a/b", isSecure: true, host: "a", port: 443, authority: "a", target: "/b"),
        Row(text: "ws://a:80/", host: "a", port: 80, authority: "a", target: "/"),
        Row(text: "wss://a:80/", isSecure: true, host: "a", port: 80, authority: "a:80", target: "/"),
        Row(text: "ws://a:8000?q=/?", host: "a", port: 8000, authority: "a:8000", target: "/?q=/?"),
        Row(text: "ws://a:/p", host: "a", port: 80, authority: "a", target: "/p"),
        Row(text: "ws://[::1]:9/p", host: "::1", port: 9, authority: "[::1]:9", target: "/p"),
        Row(text: "ws://u:p@a/", host: "a", port: 80, authority: "a", target: "/", credentials: "dTpw"),
        Row(
            text: "ws://u%3A@b:p%41@a/@", host: "a", port: 80, authority: "a", target: "/@", credentials: "dTpAYjpwQQ=="
        ),
    ]) func `takes apart`(row: Row) throws {
        let url = try WebSocketURL(row.text)
        #expect(url.isSecure == row.isSecure)
        #expect(url.host == row.host)
        #expect(url.port == row.port)
        #expect(url.authority == row.authority)
        #expect(url.target == row.target)
        #expect(url.basicCredentials == row.credentials)
    }

    @Test(arguments: [
        "", "ws", "ws:", "ws:/a", "ws://", "ws:///p", "http://a/", "https://a/", "a.com", "ws://a/#f", "ws://a b/",
        "ws://a/\r\nX: y",
        "ws://ä/", "ws://a:0/", "ws://a:65536/", "ws://a:+80/", "ws://a:8x/", "ws://[::1/", "ws://[]/", "ws://[::1]8/",
        "ws://[v1.x]/", "ws://u%4@a/", "ws://u%zz@a/", "ws://u%-1@a/", "ws://u@/", "ws://a\\b/",
    ]) func `refuses`(text: String) {
        #expect(throws: WebSocketURL.Invalid(text: text)) { try WebSocketURL(text) }
        #expect("\(WebSocketURL.Invalid(text: text))" == "\(text) is not a valid WebSocket URL")
    }
}

/// Base64 (RFC 4648 §10).
@Suite struct Base64Tests {
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ]) func `the RFC's vectors`(text: String, base64: String) {
        #expect(Base64.encode(Array(text.utf8)) == base64)
        #expect(Base64.decodedCount(base64) == text.utf8.count)
    }

    @Test(arguments: ["Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zg-_", "Zm9 ", "=Zg="])
    func `refuses`(text: String) {
        #expect(Base64.decodedCount(text) == nil)
    }
}

/// Header fields.
@Suite struct HeaderFieldsTests {
    @Test func `names are compared without case, lists without order`() {
        var headers = HeaderFields([("A", "1"), ("b", "x ,\tY,, "), ("a", "2")])
        headers.append("B", "z")
        #expect(headers.count == 4)
        #expect(headers.first("a") == "1")
        #expect(headers.all("A") == ["1", "2"])
        #expect(headers.combined("a") == "1, 2")
        #expect(headers.combined("c") == nil)
        #expect(headers.list("b") == ["x", "Y", "z"])
        #expect(headers.hasToken("B", "y"))
        #expect(!headers.hasToken("B", "x ,"))
        #expect(headers.map(\.name) == ["A", "b", "a", "B"])
    }
}

import Testing

@testable import BrokerFront

/// Paths, queries and forms.
struct RequestTargetTests {
    struct Target: CustomTestStringConvertible, Sendable {
        var testDescription: String { text }
        let text: String
        let path: String
        /// Names and values, one after the other.
        var query: [String] = []
    }
    static let targets = [
        Target(text: "/", path: "/"),
        Target(text: "", path: ""),
        Target(text: "*", path: "*"),
        Target(text: "/a/b", path: "/a/b"),
        Target(text: "/a?", path: "/a"),
        Target(text: "/a?b", path: "/a", query: ["b", ""]),
        Target(text: "/a?b=", path: "/a", query: ["b", ""]),
        Target(text: "/a?b=c&d=e", path: "/a", query: ["b", "c", "d", "e"]),
        Target(text: "/a?b=c=d?e", path: "/a", query: ["b", "c=d?e"]),
        Target(text: "/a?&&b=1&", path: "/a", query: ["b", "1"]),
        Target(text: "/a?b%3D=c+d%2B", path: "/a", query: ["b=", "c d+"]),
        Target(text: "/a%20b+c", path: "/a%20b+c"),
        Target(text: "http://broker.test:80/a?b=c", path: "/a", query: ["b", "c"]),
        Target(text: "https://broker.test/a/b", path: "/a/b"),
        Target(text: "http://broker.test", path: "/"),
        Target(text: "http://broker.test?b=/c", path: "/", query: ["b", "/c"]),
        Target(text: "httpx://broker.test/a", path: "httpx://broker.test/a"),
        Target(text: "/http://a/b", path: "/http://a/b"),
        // A mark makes one character with the separator before it, and hides nothing.
        Target(text: "/a?\u{301}b=\u{301}c&\u{301}d", path: "/a", query: ["\u{301}b", "\u{301}c", "\u{301}d", ""]),
        Target(text: "http://\u{301}broker.test/\u{301}?b=c", path: "/\u{301}", query: ["b", "c"]),
    ]

    @Test(arguments: targets)
    func parts(row: Target) {
        let target = RequestTarget(row.text)
        #expect(target.path == row.path)
        #expect(target.query.flatMap { [$0.name, $0.value] } == row.query)
        #expect(RequestTarget.parameters(in: target.queryText).flatMap { [$0.name, $0.value] } == row.query)
    }

    @Test
    func firstParameterOfAName() {
        let target = RequestTarget("/?a=1&b=2&a=3")
        #expect(target.first("a") == "1")
        #expect(target.first("b") == "2")
        #expect(target.first("c") == nil)
    }

    @Test(arguments: [
        ("/bayeux", true), ("/bayeux/", true), ("/bayeux/handshake", true), ("/bayeux?x", true), ("/bayeux.js", false),
        ("/bayeuxx", false), ("/bayeu", false), ("/", false), ("", false), ("/a/bayeux", false), ("/BAYEUX", false),
        ("/bayeux.json", true), ("/bayeux.", false), ("/bayeux.a.b", false), ("/bayeux.map", false),
        ("/bayeux/client.js", false), ("/bayeux/a.map", false), ("/bayeux/a.b", true), ("/bayeux/a.js/b", true),
        ("http://broker.test/bayeux/x", true),
    ])
    func endpoint(target: String, isBelow: Bool) {
        #expect(RequestTarget(target).isBelow("/bayeux") == isBelow)
    }

    @Test
    func pathsAreASCII() {
        #expect(RequestTarget("/bayeux?\u{301}").isPlain)
        #expect(!RequestTarget("/bayeux/\u{301}").isPlain)
        #expect(!RequestTarget("/bayeux/\u{301}").isBelow("/bayeux"))
    }

    struct Escape: CustomTestStringConvertible, Sendable {
        var testDescription: String { text }
        let text: String
        let decoded: String
        var plusIsSpace = false
    }
    static let escapes = [
        Escape(text: "", decoded: ""),
        Escape(text: "abc", decoded: "abc"),
        Escape(text: "%41%7a%7A", decoded: "Azz"),
        Escape(text: "a+b", decoded: "a+b"),
        Escape(text: "a+b", decoded: "a b", plusIsSpace: true),
        Escape(text: "%2B+", decoded: "+ ", plusIsSpace: true),
        Escape(text: "%C3%BC", decoded: "ü"),
        Escape(text: "ü", decoded: "ü"),
        Escape(text: "%00", decoded: "\0"),
        Escape(text: "%25%32%30", decoded: "%20"),
        // Malformed escapes stay as they are.
        Escape(text: "%", decoded: "%"), Escape(text: "%4", decoded: "%4"), Escape(text: "%4g", decoded: "%4g"),
        Escape(text: "%+1", decoded: "%+1"), Escape(text: "%-1", decoded: "%-1"), Escape(text: "%%41", decoded: "%A"),
        // What is no UTF-8 becomes U+FFFD, which no channel name has.
        Escape(text: "%FF", decoded: "\u{FFFD}"),
    ]

    @Test(arguments: escapes)
    func decoding(row: Escape) {
        #expect(RequestTarget.decode(row.text, plusIsSpace: row.plusIsSpace) == row.decoded)
    }
}

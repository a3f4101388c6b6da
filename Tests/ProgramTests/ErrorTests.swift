import Foundation
import Testing

/// Everything that `broker-cli` can be told wrong: what it says, and its exit status.
@Suite(.timeLimit(.minutes(10)))
struct ErrorTests {
    struct Row: CustomTestStringConvertible, Sendable {
        var testDescription: String { arguments.joined(separator: " ") }
        let arguments: [String]
        var status: Int32
        /// All that it says; `URL` stands for the broker's.
        let message: String
    }

    static let local = [
        Row(
            arguments: ["publish", "/a", "{"], status: 65, message: "the document: not JSON: unexpected end at byte 1"),
        Row(arguments: ["publish", "/a", ""], status: 65, message: "the document: not JSON: unexpected end at byte 0"),
        Row(
            arguments: ["publish", "/a", "1 2"], status: 65,
            message: "the document: not JSON: bytes after the end at byte 2"),
        Row(
            arguments: ["publish", "/a", String(repeating: "[", count: 63) + String(repeating: "]", count: 63)],
            status: 65, message: "the document: nested deeper than 62 levels at byte 62"),
        Row(
            arguments: ["publish", "a", "1"], status: 65,
            message: "a is no channel: a channel begins with '/'\n  a\n  ^"),
        Row(
            arguments: ["publish", "/a/*", "1"], status: 65,
            message: "/a/* is no channel: wildcard at byte 3, where a channel name is needed and not a pattern"
                + "\n  /a/*\n     ^"),
        Row(
            arguments: ["subscribe", "a"], status: 65, message: "a is no channel: a channel begins with '/'\n  a\n  ^"),
        Row(
            arguments: ["publish", "/a", "@/nowhere/file"], status: 74,
            message: "/nowhere/file: the file cannot be read"),
        Row(
            arguments: ["--url", "here", "publish", "/a", "1"], status: 64,
            message: "here is no URL such as http://127.0.0.1:8000/bayeux, nor a socket such as unix:/run/fanfare.sock"),
        Row(
            arguments: ["request", "/a", "1"], status: 65, message: "/a is no service: its name begins with /service/"),
        Row(
            arguments: ["history", "/a/**"], status: 65,
            message: "/a/** is no channel: wildcard at byte 3, where a channel name is needed and not a pattern"
                + "\n  /a/**\n     ^"),
        Row(
            arguments: ["--url", "https://127.0.0.1:1/bayeux", "--ca", "/nowhere/ca.pem", "publish", "/a", "1"],
            status: 74,
            message: "/nowhere/ca.pem: the file of --ca cannot be read: No such file or directory"),
        Row(
            arguments: ["--url", "http://127.0.0.1:1/bayeux", "--ca", "/nowhere/ca.pem", "publish", "/a", "1"],
            status: 74,
            message: "/nowhere/ca.pem: the file of --ca cannot be read: No such file or directory"),
        Row(
            arguments: ["flush", "/nowhere/outbox"], status: 74,
            message: "/nowhere/outbox: the folder cannot be read"),
        Row(
            arguments: ["subscribe", "/a", "--state", "/nowhere/state"], status: 73,
            message: "/nowhere/state.lock: No such file or directory"),
        Row(
            arguments: ["publish", "/a", "1", "--spool", "/dev/null/spool"], status: 73,
            message: "/dev/null/spool: the folder cannot be made"),
        Row(
            arguments: ["subscribe", "/ab", "--exclude", "/ab//c"], status: 65,
            message: "/ab//c is no channel: empty segment at byte 4\n  /ab//c\n      ^"),
        Row(
            arguments: ["--token", "a", "--token-file", "b", "publish", "/a", "1"], status: 64,
            message: "--token and --token-file exclude each other"),
        Row(
            arguments: ["--token-file", "/nowhere/token", "publish", "/a", "1"], status: 74,
            message: "/nowhere/token: the file with the token cannot be read"),
        Row(
            arguments: ["--proxy", "socks5://p", "publish", "/a", "1"], status: 64,
            message: "--proxy: socks5://p is not a valid proxy URL, such as http://proxy.example:3128"),
        Row(
            arguments: ["--proxy", "foo", "publish", "/a", "1"], status: 64,
            message: "--proxy: foo is not a valid proxy URL, such as http://proxy.example:3128"),
        Row(
            arguments: [
                "--url", "http://127.0.0.1:2/bayeux", "--proxy", "127.0.0.1:1", "publish", "/a", "1", "--retry", "0",
            ],
            status: 69,
            message: "http://127.0.0.1:2/bayeux: the proxy 127.0.0.1:1 cannot be reached: Connection refused"),
    ]

    @Test(arguments: local)
    func foundBeforeConnecting(row: Row) async throws {
        let ending = try await Program("broker-cli", row.arguments).end()
        #expect(ending == Ending(status: row.status, output: "", errors: "broker-cli: \(row.message)\n"))
    }

    static let wrongCommands: [[String]] = [
        ["publish"], ["subscribe"], ["shout", "/a"], ["publish", "/a", "1", "2"], ["publish", "/a", "1", "--loud"],
        ["subscribe", "/a", "--count", "0"], ["subscribe", "/a", "--count", "many"],
        ["publish", "/a", "1", "--ttl=-1"],
        ["publish", "/a", "1", "--ttl", "nan"], ["publish", "/a", "1", "--ttl", "inf"],
        ["publish", "/a", "1", "--ttl", "0"], ["publish", "/a", "-", "--count", "2"],
        ["publish", "/a", "1", "--rate", "0"], ["publish", "/a", "1", "--window", "0"],
        ["publish", "/a", "-", "--id", "x"], ["publish", "/a", "1", "--id", "x", "--spool", "s"],
        ["subscribe", "/a", "--last", "0"], ["subscribe", "/a", "--last", "1", "--since", "1"],
        ["subscribe", "/a", "--format", "xml"], ["subscribe", "/a", "--format", "%{date}"],
        ["subscribe", "/a", "--timeout", "0"], ["subscribe", "/a", "--idle", "0"],
        ["subscribe", "/a", "--all", "--new"], ["publish", "/a", "1", "--null"], ["bench", "--size", "1"],
        ["bench", "--json", "--csv"], ["cheat", "everything"], ["profile", "use"],
        ["subscribe", "/a", "--exec-concurrency", "0"],
        ["subscribe", "/a", "--retained-only", "--state", "f"], ["request", "/service/a"], ["history"],
        ["retained", "set", "/a", "1", "--ttl", "inf"], ["retained", "set", "/a", "1", "--ttl", "nan"],
        ["retained", "set", "/a", "1", "--ttl", "0"], ["retained", "clear", "/a", "--retry", "nan"],
        ["retained", "get"], ["completions", "tcsh"], ["flush"], ["bench", "--count", "0"],
    ]

    @Test(arguments: wrongCommands)
    func usageIsShown(arguments: [String]) async throws {
        let ending = try await Program("broker-cli", arguments).end()
        #expect(ending.status == 64)
        #expect(ending.output.isEmpty)
        #expect(ending.errors.hasPrefix("Error: "))
        #expect(ending.errors.contains("Usage: "))
    }

    private static let dot = "character '.' (U+002E) at byte 2 is not allowed in a channel\n  /a.b\n    ^"
    static let mistyped = [
        ("publsh", "; did you mean 'publish'?"), ("susbcribe", "; did you mean 'subscribe'?"),
        ("retain", "; did you mean 'retained'?"), ("shout", "."),
    ]

    @Test(arguments: mistyped)
    func commandIsMistyped(word: String, hint: String) async throws {
        let ending = try await Program.run("broker-cli", word, "/a", "1")
        #expect(ending.status == 64)
        #expect(ending.errors.hasPrefix("Error: There is no command '\(word)'\(hint)\n"))
    }

    static let refused = [
        Row(
            arguments: ["publish", "/a.b", "1"], status: 65,
            message: "refused: the broker answered 405:/a.b:Invalid channel: " + dot),
        Row(
            arguments: ["subscribe", "/a", "/a.b"], status: 65,
            message: "subscribe /a /a.b: the broker answered 405:/a.b:Invalid channel: " + dot),
        Row(
            arguments: ["publish", "/meta/x", "1"], status: 77,
            message: "refused: the broker answered 403:/meta/x:Forbidden channel"),
        Row(
            arguments: ["subscribe", "/service/**"], status: 77,
            message: "subscribe /service/**: the broker answered 403:/service/**:Forbidden channel"),
        Row(arguments: ["request", "/service/nobody", "{}"], status: 66, message: "nobody serves /service/nobody"),
    ]

    @Test
    func refusedByTheBroker() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        for row in Self.refused {
            let ending = try await Program("broker-cli", ["--url", broker.endpoint] + row.arguments).end()
            #expect(ending == Ending(status: row.status, output: "", errors: "broker-cli: \(row.message)\n"))
        }
        try await broker.stop()
    }

    @Test(arguments: [["publish", "/a", "1"], ["subscribe", "/a"]])
    func noBroker(arguments: [String]) async throws {
        let url = "http://127.0.0.1:1/bayeux"
        let ending = try await Program("broker-cli", ["--url", url] + arguments).end()
        let message = "no broker answers at \(url): Connection refused. Is broker-server running there?"
        #expect(ending == Ending(status: 69, output: "", errors: "broker-cli: \(message)\n"))
    }

    @Test
    func wrongPath() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let ending = try await Program.run("broker-cli", "--url", broker.url + "/wrong", "publish", "/a", "1")
        #expect(
            ending
                == Ending(
                    status: 69, output: "",
                    errors: "broker-cli: \(broker.url)/wrong: "
                        + "Error during WebSocket handshake: Unexpected response code: 404\n"))
        try await broker.stop()
    }

    /// A page of whoever stands in the broker's place is no history.
    @Test(arguments: [["history", "/a"], ["subscribe", "/a", "--last", "1"]])
    func noHistory(arguments: [String]) async throws {
        let server = try Acceptor(answer: "200 OK", "<html>Log in</html>")
        let ending = try await Program("broker-cli", ["--url", server.endpoint] + arguments).end()
        let message = "/a: what answers is no broker, or its answer cannot be read"
        #expect(ending == Ending(status: 69, output: "", errors: "broker-cli: \(message)\n"))
    }

    /// The broker goes away behind the handshake, and again each time.
    @Test(arguments: [["set", "/a", "1"], ["clear", "/a"]])
    func retainedWithoutABroker(arguments: [String]) async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let server = try Acceptor(cutting: broker.port)
        let ending = try await Program(
            "broker-cli", ["--url", server.endpoint, "retained"] + arguments + ["--retry", "0"]
        ).end()
        #expect(ending.status == 69)
        try await broker.stop()
    }
}

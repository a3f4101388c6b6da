import Foundation
import Synchronization
import Testing

/// What `broker-cli` does beyond publishing and subscribing: all of the output, and the exit status.
@Suite(.timeLimit(.minutes(10)))
struct ClientCommandTests {
    private static let done = Ending(status: 0, output: "", errors: "")
    /// The broker gives fewer messages at a time than the commands ask for.
    private static let configuration =
        "channels:\n  /log/**:\n    history: 1000\nlimits:\n  history-messages: 2\n"

    private func broker(_ folder: TemporaryFolder) async throws -> RunningBroker {
        let file = try folder.write(Self.configuration, to: "fanfare.yaml")
        return try await RunningBroker("--config", file, "--database", folder.path("fanfare.db"))
    }

    @Test
    func history() async throws {
        let folder = try TemporaryFolder()
        let broker = try await broker(folder)
        #expect(try await broker.cli("publish", "/log/a", "-", input: .bytes("1\n[2]\n\"3\"\n")) == Self.done)
        let lines = [(1, "1"), (2, "[2]"), (3, "\"3\"")]
        func ending(_ lines: [(Int, String)]) -> Ending {
            Ending(status: 0, output: lines.map { "\($0.0):\($0.1)\n" }.joined(), errors: "")
        }
        let format = "%{seq}:%{data}"
        #expect(try await broker.cli("history", "/log/a", "--format", format) == ending(lines))
        #expect(
            try await broker.cli("history", "/log/a", "--since", "1", "--format", format)
                == ending([lines[1], lines[2]]))
        #expect(try await broker.cli("history", "/log/a", "--limit", "1", "--format", format) == ending([lines[0]]))
        #expect(try await broker.cli("history", "/log/none") == Self.done)
        #expect(
            try await broker.cli("history", "/log/a.b")
                == Ending(
                    status: 65, output: "",
                    errors: "broker-cli: /log/a.b: the broker answered 400: /log/a.b is no channel name: "
                        + "character '.' (U+002E) at byte 6 is not allowed in a channel\n"))
        // Where a subscription begins.
        #expect(
            try await broker.cli("sub", "/log/a", "--since", "1", "--count", "2", "--format", format)
                == ending([lines[1], lines[2]]))
        #expect(
            try await broker.cli("sub", "/log/a", "--last", "2", "--count", "2", "--format", format)
                == ending([lines[1], lines[2]]))
        #expect(
            try await broker.cli("sub", "/log/*", "--since", "0", "--count", "3", "--format", format)
                == ending(lines))
        try await broker.stop()
    }

    /// The history of a channel that gets another message with each request.
    private final class GrowingHistory: Sendable {
        private let newest = Atomic(5)

        func answer(_ head: String) -> String {
            guard let query = head.firstMatch(of: #/since=(\d+)&limit=(\d+)/#), let since = Int(query.1),
                let limit = Int(query.2)
            else { return "[]" }
            let newest = self.newest.add(1, ordering: .relaxed).newValue
            guard since < newest else { return "[]" }
            let messages = (since + 1...newest).prefix(limit).map { number in
                #"{"channel":"/log/a","data":\#(number),"ext":{"seq":\#(number),"epoch":"log"}}"#
            }
            return "[" + messages.joined(separator: ",") + "]"
        }
    }

    /// Who publishes as fast as it is read keeps nobody from the end of what was there.
    @Test
    func historyThatGrows() async throws {
        let history = GrowingHistory()
        let server = try Acceptor(answering: { history.answer($0) })
        let all = try await Program.run(
            "broker-cli", "--url", server.endpoint, "history", "/log/a", "--format", "raw")
        #expect(all.status == 0)
        let numbers = all.output.split(separator: "\n").compactMap { Int($0) }
        #expect(numbers.count >= 5)
        #expect(numbers == Array(1...max(numbers.count, 1)))
        // Behind the past it subscribes, of which this server knows nothing.
        let last = try await Program.run("broker-cli", "--url", server.endpoint, "subscribe", "/log/a", "--last", "1")
        #expect(last.errors.contains("Unexpected response code: 200"))
    }

    @Test
    func retained() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        #expect(try await broker.cli("retained", "list") == Self.done)
        #expect(try await broker.cli("retained", "set", "/a/b", "{\"x\":1}") == Self.done)
        #expect(try await broker.cli("retained", "get", "/a/b") == Ending(status: 0, output: "{\"x\":1}\n", errors: ""))
        #expect(
            try await broker.cli("retained", "list", "/a/*", "--format", "%{channel}\\t%{data}%%")
                == Ending(status: 0, output: "/a/b\t{\"x\":1}%\n", errors: ""))
        #expect(
            try await broker.cli("sub", "/**", "--retained-only", "--idle", "3", "--format", "raw")
                == Ending(status: 0, output: "{\"x\":1}\n", errors: ""))
        #expect(try await broker.cli("retained", "clear", "/a/b") == Self.done)
        #expect(
            try await broker.cli("retained", "get", "/a/b")
                == Ending(status: 66, output: "", errors: "broker-cli: /a/b has no retained message\n"))
        try await broker.stop()
    }

    struct Format: CustomTestStringConvertible, Sendable {
        var testDescription: String { name }
        let name: String
        let output: String
    }
    static let formats = [
        Format(name: "raw", output: "\"text\""), Format(name: "ndjson", output: #"{"channel":"/f","data":"text"}"#),
        Format(name: "pretty", output: "/f \"text\""), Format(name: "<%{channel}|%{seq}|%{id}>", output: "</f||>"),
    ]

    @Test
    func formatsAndRawText() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        for format in Self.formats {
            let ready = "/ready/\(UUID().uuidString.lowercased())"
            #expect(try await broker.cli("publish", ready, "0", "--retain") == Self.done)
            let subscriber = try Program(
                "broker-cli",
                ["--url", broker.endpoint, "sub", "/f", ready, "--count", "2", "--format", format.name])
            _ = try await subscriber.line()
            #expect(try await broker.cli("publish", "/f", "text", "--raw", "--count", "1") == Self.done)
            #expect(try await subscriber.end() == Ending(status: 0, output: format.output + "\n", errors: ""))
        }
        try await broker.stop()
    }

    @Test
    func countAndID() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let subscriber = try await broker.subscriber(to: "/n", count: 4)
        #expect(try await broker.cli("publish", "/n", "1", "--count", "3", "--rate", "1000") == Self.done)
        #expect(try await broker.cli("publish", "/n", "2", "--id", "one") == Self.done)
        for data in [1, 1, 1, 2] { #expect(try await subscriber.line() == #"{"channel":"/n","data":\#(data)}"#) }
        #expect(try await subscriber.end() == Self.done)
        try await broker.stop()
    }

    @Test
    func timeout() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        // Enough of it to connect, which is part of it.
        let program = try Program("broker-cli", ["--url", broker.endpoint, "sub", "/a", "--timeout", "20"])
        #expect(
            try await broker.cli("sub", "/a", "--timeout", "20", "--count", "1")
                == Ending(status: 124, output: "", errors: "broker-cli: the time is over after 0 messages\n"))
        #expect(try await program.end() == Self.done)
        try await broker.stop()
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func stoppedBySignal(number: Int32) async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let subscriber = try await broker.subscriber(to: "/a")
        subscriber.send(signal: number)
        #expect(try await subscriber.end() == Ending(status: 128 + number, output: "", errors: ""))
        try await broker.stop()
    }
}

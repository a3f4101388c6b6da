import Foundation
import Testing

/// Where `broker-cli subscribe` begins, what it leaves out, and when it ends.
@Suite(.timeLimit(.minutes(10)))
struct SubscribeOptionTests {
    private static let done = Ending(status: 0, output: "", errors: "")
    private static let configuration = "channels:\n  /log/**:\n    history: 1000\n"

    private func broker(_ folder: TemporaryFolder) async throws -> RunningBroker {
        let file = try folder.write(Self.configuration, to: "fanfare.yaml")
        let broker = try await RunningBroker("--config", file, "--database", ":memory:")
        #expect(try await broker.cli("publish", "/log/a", "-", input: .bytes("1\n[2,\t3]\n")) == Self.done)
        #expect(try await broker.cli("publish", "/log/b", "\"b\"", "--retain") == Self.done)
        return broker
    }

    struct Row: CustomTestStringConvertible, Sendable {
        var testDescription: String { arguments.joined(separator: " ") }
        let arguments: [String]
        var status: Int32 = 0
        var output = ""
        var errors = ""
    }
    static let rows = [
        Row(
            arguments: [
                "/log/*", "--all", "--until-end", "--idle", "3", "--format", "%{seq} %{channel} %{data} %{size}",
            ],
            output: "1 /log/a 1 1\n2 /log/a [2,\t3] 6\n3 /log/b \"b\" 3\n"),
        Row(
            arguments: ["/log/*", "--all", "--until-end", "--idle", "3", "--exclude", "/log/a", "--format", "raw"],
            output: "\"b\"\n"),
        Row(
            arguments: [
                "/log/*", "--since", "1", "--until-end", "--idle", "3", "-T", "/log/b", "-T", "/x/**", "--format",
                "raw",
            ],
            output: "[2,\t3]\n"),
        Row(arguments: ["/log/*", "--new", "--idle", "0.3"]),
        Row(
            arguments: ["/log/*", "--idle", "3", "--format", "pretty"], output: "/log/b #3 retained \"b\"\n"),
        Row(
            arguments: ["/log/*", "--new", "--idle", "0.3", "--count", "1"], status: 124,
            errors: "broker-cli: nothing more has come after 0 messages\n"),
        Row(
            arguments: ["/log/a", "--all", "--count", "2", "-0", "--format", "<%{data}>"],
            output: "<1>\0<[2,\t3]>\0"),
        Row(arguments: ["/log/a", "--all", "--count", "1", "--print0", "--format", "raw"], output: "1\0"),
        Row(
            arguments: ["/log/a", "--all", "--count", "1", "--format", "%{id}\\\\%%\\e\\0%{seq}"],
            output: "\\%\u{1B}\01\n"),
        Row(
            arguments: ["/log/**", "--last", "1"], status: 65,
            errors: """
                broker-cli: /log/** is no channel: wildcard at byte 5, where a channel name is needed and not a pattern
                  /log/**
                       ^

                """),
    ]

    @Test
    func rangesAndFilters() async throws {
        let folder = try TemporaryFolder()
        let broker = try await broker(folder)
        for row in Self.rows {
            let ending = try await Program("broker-cli", ["--url", broker.endpoint, "subscribe"] + row.arguments).end()
            #expect(
                ending == Ending(status: row.status, output: row.output, errors: row.errors), "\(row.testDescription)")
        }
        try await broker.stop()
    }

    /// The last ones of two channels together, each once, whichever of them has ended first.
    @Test
    func lastOfTwoChannels() async throws {
        let folder = try TemporaryFolder()
        let broker = try await broker(folder)
        #expect(try await broker.cli("publish", "/log/b", "-", input: .bytes("4\n5\n6\n7\n")) == Self.done)
        let ending = try await broker.cli(
            "subscribe", "/log/a", "/log/b", "/log/none", "--last", "2", "--until-end", "--idle", "3", "--format", "raw"
        )
        #expect(ending == Ending(status: 0, output: "6\n7\n", errors: ""))
        let all = try await broker.cli(
            "subscribe", "/log/b", "/log/a", "--last", "6", "--until-end", "--idle", "3", "--format", "%{seq}")
        #expect(all == Ending(status: 0, output: "2\n3\n4\n5\n6\n7\n", errors: ""))
        try await broker.stop()
    }

    /// What strangers write is not obeyed by the terminal of who reads it, and is the same JSON; scripts get it as it is.
    @Test
    func prettyIsHarmless() async throws {
        let folder = try TemporaryFolder()
        let broker = try await broker(folder)
        let data = "[\"\u{9B}2J\u{9D}\u{7F}\",\t\"a\u{202E}b\u{2066}é\\u001b\"]"
        #expect(try await broker.cli("publish", "/log/c", data) == Self.done)
        let pretty = #"/log/c #4 ["\u009b2J\u009d\u007f","# + "\t" + #""a\u202eb\u2066é\u001b"]"# + "\n"
        #expect(
            try await broker.cli("history", "/log/c", "--format", "pretty")
                == Ending(status: 0, output: pretty, errors: ""))
        #expect(
            try await broker.cli("history", "/log/c", "--format", "raw")
                == Ending(status: 0, output: data + "\n", errors: ""))
        try await broker.stop()
    }

    /// Where a position is saved, `--last` does not jump over what has not had its turn.
    @Test
    func lastBeforeAPosition() async throws {
        let folder = try TemporaryFolder()
        let broker = try await broker(folder)
        let arguments = [
            "--url", broker.endpoint, "subscribe", "/log/a", "--last", "1", "--state", folder.path("state"),
            "--until-end", "--idle", "3", "--format", "raw",
        ]
        #expect(try await Program("broker-cli", arguments).end().output == "[2,\t3]\n")
        #expect(try await broker.cli("publish", "/log/a", "-", input: .bytes("4\n5\n6\n")) == Self.done)
        #expect(try await Program("broker-cli", arguments).end().output == "4\n5\n6\n")
        try await broker.stop()
    }

    /// What the broker does not store leaves no position; it is told once.
    @Test
    func stateOfWhatIsNotStored() async throws {
        let folder = try TemporaryFolder()
        let broker = try await broker(folder)
        let subscriber = try await broker.subscriber(
            to: "/plain/a", count: 2, options: ["--state", folder.path("state"), "--format", "%{channel} %{data}"])
        #expect(try await broker.cli("publish", "/plain/a", "-", input: .bytes("1\n2\n")) == Self.done)
        #expect(
            try await subscriber.end()
                == Ending(
                    status: 0, output: "/plain/a 1\n/plain/a 2\n",
                    errors: """
                        broker-cli: the broker does not store /plain/a, so --state cannot keep a position there, and \
                        what is missed is lost; its configuration can: channels: {/plain/a: {history: 10000}}

                        """))
        try await broker.stop()
    }

    /// With `--print0` and a time: what a shell's loop gets.
    @Test
    func timesAndWholeMessages() async throws {
        let folder = try TemporaryFolder()
        let broker = try await broker(folder)
        let ending = try await broker.cli(
            "subscribe", "/log/b", "--count", "1", "--format", "%{time} %{json}")
        let parts = ending.output.split(separator: " ", maxSplits: 1)
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        try #require(parts.count == 2)
        let time = try Date(String(parts[0]), strategy: style)
        #expect(abs(time.timeIntervalSinceNow) < 60)
        #expect(parts[1].hasPrefix(#"{"channel":"/log/b","data":"b","ext":{"seq":3,"epoch":""#))
        try await broker.stop()
    }

    /// The commands of later messages may end first; the position does not pass one that has not ended.
    @Test
    func positionStaysBehindAFailure() async throws {
        let folder = try TemporaryFolder()
        let broker = try await broker(folder)
        let lines = (1...20).map { "\($0)\n" }.joined()
        #expect(try await broker.cli("publish", "/log/x", "-", input: .bytes(lines)) == Self.done)
        let (state, log) = (folder.path("state"), folder.path("log"))
        // The fifth waits until the eighth has run, and fails.
        let command = """
            read n; echo $n >> \(log); test $n = 8 && : > \(folder.path("eighth"))
            if test $n = 5; then until test -e \(folder.path("eighth")); do :; done; exit 3; fi
            """
        let first = try await broker.cli(
            "subscribe", "/log/x", "--all", "--state", state, "--exec", command, "--exec-concurrency", "4")
        #expect(
            first
                == Ending(
                    status: 70, output: "", errors: "broker-cli: the command failed on /log/x #8, with status 3\n"))
        let position = try String(contentsOfFile: state, encoding: .utf8)
        #expect(position.hasPrefix(#"{"seq":7,"#), "behind the fourth, whose number is 7")
        let second = try await broker.cli(
            "subscribe", "/log/x", "--state", state, "--exec", "cat", "--until-end", "--idle", "3")
        #expect(second.output == (5...20).map { "\($0)\n" }.joined())
        try await broker.stop()
    }

    /// The second signal ends the program at once, whatever it waits for.
    @Test
    func secondSignal() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        #expect(try await broker.cli("publish", "/k", "0", "--retain") == Self.done)
        let subscriber = try Program(
            "broker-cli",
            ["--url", broker.endpoint, "subscribe", "/k", "--exec", "echo started; exec sleep 30 >&- 2>&-"])
        #expect(try await subscriber.line() == "started")
        // Two of the same kind may arrive as one.
        subscriber.send(signal: SIGINT)
        subscriber.send(signal: SIGTERM)
        #expect([130, 143].contains(try await subscriber.endWithoutOutput().status))
        try await broker.stop()
    }
}

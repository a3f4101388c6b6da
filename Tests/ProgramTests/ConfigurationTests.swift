import Foundation
import Testing

/// Flags and configuration files of `broker-server`.
@Suite(.timeLimit(.minutes(10)))
struct ConfigurationTests {
    @Test
    func unknownFlag() async throws {
        let ending = try await Program.run("broker-server", "--lisen", "127.0.0.1:0")
        #expect(ending.status == 64)
        #expect(ending.output.isEmpty)
        #expect(ending.errors.hasPrefix("Error: Unknown option '--lisen'"))
    }

    struct Flag: CustomTestStringConvertible, Sendable {
        var testDescription: String { arguments.joined(separator: " ") }
        let arguments: [String]
        let message: String
    }
    static let flags = [
        Flag(arguments: ["--threads", "0"], message: "--threads: 0 is not a number from 1 to 256"),
        Flag(
            arguments: ["--listen", "here"],
            message:
                "--listen: here is not an address and port such as 127.0.0.1:8000, a socket such as unix:/run/fanfare.sock, or systemd"
        ),
        Flag(
            arguments: ["--listen", "127.0.0.1:65536"],
            message:
                "--listen: 127.0.0.1:65536 is not an address and port such as 127.0.0.1:8000, a socket such as unix:/run/fanfare.sock, or systemd"
        ),
        Flag(arguments: ["--database", ""], message: "--database:  is not the path of a file, or :memory:"),
        Flag(
            arguments: ["--log-level", "loud"],
            message: "--log-level: loud is not one of trace, debug, info, notice, warning, error, critical"),
        Flag(
            arguments: ["--allow-origin", "example.com"],
            message: "--allow-origin: example.com is not an origin such as https://example.com, or *"),
    ]

    @Test(arguments: flags)
    func badFlag(row: Flag) async throws {
        let ending = try await Program("broker-server", row.arguments).end()
        #expect(ending == Ending(status: 64, output: "", errors: "broker-server: \(row.message)\n"))
    }

    static let files = [
        BadFile(
            testDescription: "a key in both ways of writing it",
            text: "limits: {sessions: 5}\nlimits.sessions: 6\n",
            problems: [":2:1: limits.sessions is given at FILE:1:10 as well"]),
        BadFile(
            testDescription: "null", text: "database: ~\nlimits: {sessions: null}\n",
            problems: [
                ":1:11: database is not the path of a file, or :memory:",
                ":2:20: limits.sessions is not a number from 1 to 1000000000",
            ]),
        BadFile(
            testDescription: "everything at once",
            text: """
                listne: 127.0.0.1:0
                threads: 0
                limits:
                  message-byte: 5
                  connections: many
                timeouts: 5
                log-level: [info, debug]
                allow-origin:
                  - https://a.example
                  - b.example
                colour: red
                """,
            problems: [
                #":1:1: unknown key "listne", did you mean "listen"?"#,
                ":2:10: threads: 0 is not a number from 1 to 256",
                #":4:3: unknown key "limits.message-byte", did you mean "limits.message-bytes"?"#,
                ":5:16: limits.connections: many is not a number from 1 to 1000000000",
                ":6:11: keys and values are expected here",
                ":7:12: log-level is not one of trace, debug, info, notice, warning, error, critical",
                ":10:5: allow-origin: b.example is not an origin such as https://example.com, or *",
                #":11:1: unknown key "colour""#,
            ]),
        BadFile(
            testDescription: "groups, and keys where they do not belong",
            text: """
                timeout: {ping: 5s}
                limit:
                  sessions: 5
                rate: {remembered: 5}
                tsl: {key: a.pem}
                auht: {publish: all}
                channel: {/a: {history: 5}}
                listener: []
                path: /bayeux
                limit.sessions: 6
                timeouts:
                  pign: 5s
                  limits: 5s
                  port: 5s
                """,
            problems: [
                #":1:1: unknown key "timeout", did you mean "timeouts"?"#,
                #":2:1: unknown key "limit", did you mean "limits"?"#,
                #":4:1: unknown key "rate", did you mean "rates"?"#,
                #":5:1: unknown key "tsl", did you mean "tls"?"#,
                #":6:1: unknown key "auht", did you mean "auth"?"#,
                #":7:1: unknown key "channel", did you mean "channels"?"#,
                #":8:1: unknown key "listener", did you mean "listeners"?"#,
                #":9:1: unknown key "path""#,
                #":10:1: unknown key "limit.sessions", did you mean "limits.sessions"?"#,
                #":12:3: unknown key "timeouts.pign", did you mean "timeouts.ping"?"#,
                #":13:3: unknown key "timeouts.limits""#,
                #":14:3: unknown key "timeouts.port""#,
            ]),
        BadFile(
            testDescription: "a list", text: "- listen\n", problems: [":1:1: keys and values are expected here"]),
        BadFile(
            testDescription: "a key given twice", text: "threads: 1\nthreads: 2\n",
            problems: [#":1:1: "threads" is given more than once"#]),
        BadFile(
            testDescription: "values that do not go together", text: "timeouts: {drain-delay: 5s, shutdown: 5s}\n",
            problems: [":1:12: timeouts.drain-delay: 5s is not shorter than timeouts.shutdown, which is 5s"]),
        BadFile(
            testDescription: "no YAML", text: "threads: [1\n",
            problems: [":2:1: no YAML: did not find expected ',' or ']'"]),
    ]

    @Test(arguments: files, [["check-config"], ["serve", "--config"]])
    func badFile(row: BadFile, command: [String]) async throws {
        try await row.check(command)
    }

    @Test(arguments: [["check-config"], ["--config"]])
    func fileThatIsNotThere(command: [String]) async throws {
        let ending = try await Program("broker-server", command + ["/nowhere/fanfare.yaml"]).end()
        #expect(
            ending
                == Ending(
                    status: 78, output: "", errors: "broker-server: /nowhere/fanfare.yaml: the file cannot be read\n"))
    }

    static let good = """
        listen: "[::1]:9000"
        database: ":memory:"
        threads: 2
        log-level: warning
        endpoint: /push
        channel-grammar: cometd
        allow-origin: https://a.example
        limits:
          message-bytes: 1000
          outbound-bytes: 1000000
        timeouts:
          ping: 0.5
          shutdown: 1
        """

    @Test(arguments: ["", "# nothing\n", good])
    func goodFile(text: String) async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(text, to: "good.yaml")
        let ending = try await Program.run("broker-server", "check-config", path)
        #expect(ending == Ending(status: 0, output: "\(path): good\n", errors: ""))
    }

    /// Flags win over the file; what it says otherwise holds.
    @Test
    func serveWithAFile() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(Self.good, to: "good.yaml")
        let broker = try await RunningBroker("--config", path)
        #expect(broker.banner.contains("  clients    \(broker.url)/push"))
        #expect(broker.banner.contains("  data       nowhere: everything is gone when the broker stops"))
        let cli = try await Program.run("broker-cli", "--url", broker.url + "/push", "publish", "/stock.ibm", "1")
        #expect(cli == Ending(status: 0, output: "", errors: ""))
        let ending = try await broker.stop()
        #expect(ending == Ending(status: 0, output: "", errors: ""), "warnings and worse are logged")
    }
}

import Foundation
import Testing

/// `broker-server print-config`: where values come from, and the texts that are made from the table of settings.
@Suite(.timeLimit(.minutes(10)))
struct PrintConfigTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// `make configuration` makes both again.
    @Test(arguments: [("--markdown", "docs/configuration.md"), ("--defaults", "deploy/fanfare.yaml")])
    func isUpToDate(form: String, file: String) async throws {
        let ending = try await Program.run("broker-server", "print-config", form)
        #expect(ending.status == 0)
        #expect(ending.output == (try String(contentsOf: Self.root.appending(path: file), encoding: .utf8)))
    }

    @Test
    func theDefaultsAreWhatHoldsWithoutAFile() async throws {
        let file = Self.root.appending(path: "deploy/fanfare.yaml").path
        let without = try await Program.run("broker-server", "print-config", "--database", ":memory:")
        let with = try await Program.run("broker-server", "print-config", "--database", ":memory:", "--config", file)
        #expect(values(in: with.output) == values(in: without.output))
        #expect(with.output.contains("# \(file):"))
    }

    /// Who may do what where nothing says so, and why.
    @Test(arguments: [
        ("listen: 127.0.0.1:0", "# publish: everyone # default on loopback"),
        ("listen: 0.0.0.0:0", "# publish: not-browsers # default beyond loopback"),
        ("auth: {keys: [/nowhere]}", "# publish: authenticated # default with auth.keys"),
        ("auth: {publish: nobody}", "# subscribe: everyone # default"),
    ])
    func unsaidAccess(text: String, line: String) async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(text + "\n", to: "fanfare.yaml")
        let ending = try await Program.run("broker-server", "print-config", "--config", path)
        let lines = ending.output.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
        #expect(lines.contains(line) && lines.contains("# subscribe: everyone # default"), "\(ending.output)")
    }

    /// A broker that may use one core has one event loop.
    @Test
    func threadsOfOneCore() async throws {
        let ending = try await Program.run("/usr/bin/taskset", "--cpu-list", "0", "broker-server", "print-config")
        #expect(ending.output.split(separator: "\n").contains { $0.hasPrefix("threads: 1 ") }, "\(ending.output)")
    }

    /// Flags over the environment, that over the file; each value says which it was.
    @Test
    func precedence() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            """
            threads: 2
            log-level: warning
            endpoint: /push
            allow-origin: [https://file.example]
            limits:
              message-bytes: 64KiB
            timeouts: {ping: 5m, pong: 0.5}
            channels:
              /news/*: {history: 3, history-age: 1h, message-bytes: 4096}
            """, to: "fanfare.yaml")
        let environment = [
            "FANFARE_CONFIG": path, "FANFARE_THREADS": "3", "FANFARE_LOG_LEVEL": "error",
            "FANFARE_ALLOW_ORIGIN": "https://a.example, https://b.example",
            // Those of broker-cli are none of the broker's business.
            "FANFARE_URL": "http://127.0.0.1:1/bayeux", "FANFARE_CERT": "certificate.pem", "FANFARE_KEY": "key.pem",
        ]
        let ending = try await Program.run(
            "broker-server", "print-config", "--log-level", "debug", environment: environment)
        #expect(ending.errors == "")
        let lines = ending.output.split(separator: "\n").map { line in
            line.split(separator: " ").joined(separator: " ")
        }
        for line in [
            "threads: 3 # FANFARE_THREADS", "log-level: debug # --log-level", "endpoint: /push # \(path):3:1",
            "allow-origin: [https://a.example, https://b.example] # FANFARE_ALLOW_ORIGIN",
            "message-bytes: 64KiB # \(path):6:3", "head-bytes: 16KiB # default", "ping: 5m # \(path):7:12",
            "pong: 500ms # \(path):7:22", "channels: # \(path):8:1", "'/news/*':", "history: 3", "history-age: 1h",
            "message-bytes: 4KiB",
        ] {
            #expect(lines.contains(line), "\(line) is missing in\n\(ending.output)")
        }
    }

    /// What it prints can be given to it again, and means the same.
    @Test
    func isAConfiguration() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(ConfigurationTests.good, to: "first.yaml")
        let first = try await Program.run("broker-server", "print-config", "--config", path)
        let again = try folder.write(first.output, to: "again.yaml")
        let second = try await Program.run("broker-server", "print-config", "--config", again)
        #expect(second.status == 0)
        #expect(values(in: second.output) == values(in: first.output))
    }

    struct Variable: CustomTestStringConvertible, Sendable {
        var testDescription: String { "\(name)=\(value)" }
        let name: String
        let value: String
        let problem: String
    }
    static let variables = [
        Variable(
            name: "FANFARE_LISTNE", value: "127.0.0.1:0",
            problem: #"unknown variable FANFARE_LISTNE, did you mean "FANFARE_LISTEN"?"#),
        Variable(name: "FANFARE_COLOUR", value: "red", problem: "unknown variable FANFARE_COLOUR"),
        Variable(name: "FANFARE_PATH", value: "/bayeux", problem: "unknown variable FANFARE_PATH"),
        Variable(name: "FANFARE_SCREENSHOTS", value: "x", problem: "unknown variable FANFARE_SCREENSHOTS"),
        Variable(
            name: "FANFARE_THREADS", value: "many", problem: "FANFARE_THREADS: many is not a number from 1 to 256"),
        Variable(
            name: "FANFARE_LIMITS_MESSAGE_BYTES", value: "1 MB",
            problem:
                "FANFARE_LIMITS_MESSAGE_BYTES: 1 MB is not a number of bytes from 1 to 512MiB, such as 65536 or 64KiB"
        ),
        Variable(
            name: "FANFARE_LIMITS_MESSAGE_BYTES", value: "513MiB",
            problem:
                "FANFARE_LIMITS_MESSAGE_BYTES: 513MiB is not a number of bytes from 1 to 512MiB, such as 65536 or 64KiB"
        ),
        Variable(
            name: "FANFARE_TIMEOUTS_PING", value: "0s",
            problem:
                "FANFARE_TIMEOUTS_PING: 0s is not a number of seconds above 0, or a time such as 500ms, 30s, 5m or 1h"),
    ]

    @Test(arguments: variables)
    func badVariable(row: Variable) async throws {
        let ending = try await Program.run("broker-server", environment: [row.name: row.value])
        #expect(ending == Ending(status: 78, output: "", errors: "broker-server: environment: \(row.problem)\n"))
    }

    /// Variables of others that begin like ours: `broker-cli`'s, and what Kubernetes tells of a service named fanfare.
    @Test
    func variablesOfOthers() async throws {
        let environment = [
            "FANFARE_TOKEN": "x", "FANFARE_PROFILE": "x", "FANFARE_PORT": "tcp://10.0.0.1:80",
            "FANFARE_PORT_80_TCP": "tcp://10.0.0.1:80", "FANFARE_SERVICE_HOST": "10.0.0.1",
        ]
        let ending = try await Program.run("broker-server", "print-config", environment: environment)
        #expect(ending.status == 0)
        #expect(ending.errors == "")
    }

    struct Amount: CustomTestStringConvertible, Sendable {
        var testDescription: String { "\(key)=\(text)" }
        let key: String
        let text: String
        /// Nil where it is refused.
        let printed: String?
    }
    static let amounts = [
        Amount(key: "FANFARE_LIMITS_HEAD_BYTES", text: "1MiB", printed: "head-bytes: 1MiB"),
        Amount(key: "FANFARE_LIMITS_HEAD_BYTES", text: "2048", printed: "head-bytes: 2KiB"),
        Amount(key: "FANFARE_LIMITS_HEAD_BYTES", text: "2047", printed: "head-bytes: 2047"),
        Amount(key: "FANFARE_LIMITS_HEAD_BYTES", text: "0", printed: nil),
        Amount(key: "FANFARE_LIMITS_HEAD_BYTES", text: "-1KiB", printed: nil),
        Amount(key: "FANFARE_LIMITS_HEAD_BYTES", text: "9223372036854775807KiB", printed: nil),
        Amount(key: "FANFARE_COMPRESSION_BYTES", text: "0", printed: "compression-bytes: 0"),
        Amount(key: "FANFARE_TIMEOUTS_PING", text: "90", printed: "ping: 90s"),
        Amount(key: "FANFARE_TIMEOUTS_PING", text: "1.5s", printed: "ping: 1500ms"),
        Amount(key: "FANFARE_TIMEOUTS_PING", text: "7200", printed: "ping: 2h"),
        Amount(key: "FANFARE_TIMEOUTS_PING", text: "1d", printed: "ping: 1d"),
        Amount(key: "FANFARE_TIMEOUTS_PING", text: "nan", printed: nil),
        Amount(key: "FANFARE_TIMEOUTS_PING", text: "1e30", printed: nil),
    ]

    @Test(arguments: amounts)
    func units(row: Amount) async throws {
        let ending = try await Program.run("broker-server", "print-config", environment: [row.key: row.text])
        #expect((ending.status == 0) == (row.printed != nil))
        if let printed = row.printed { #expect(ending.output.contains(printed + " ")) }
    }

    /// The values, without where they come from.
    private func values(in output: String) -> [String] {
        output.split(separator: "\n").map { line in
            line.prefix(upTo: line.firstRange(of: " #")?.lowerBound ?? line.endIndex).split(separator: " ")
                .joined(separator: " ")
        }
    }
}

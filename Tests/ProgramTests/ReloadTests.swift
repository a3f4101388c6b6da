import Foundation
import Testing

/// SIGHUP and `broker-server reload`: what can be applied is, all or nothing.
@Suite(.timeLimit(.minutes(10)))
struct ReloadTests {
    private static let foreign = "https://app.example"

    @Test
    func appliesWhatItCan() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("log-level: warning\n", to: "fanfare.yaml")
        let database = folder.path("fanfare.db")
        let broker = try await RunningBroker("--config", path, "--database", database)
        #expect(try await status(of: broker) == "403")

        _ = try folder.write(
            """
            log-level: notice
            endpoint: /push
            allow-origin: [\(Self.foreign)]
            channels:
              /kept: {history: 5}
            """, to: "fanfare.yaml")
        let ending = try await Program.run("broker-server", "reload", "--database", database)
        let report = "3 applied: log-level, allow-origin, channels; 1 needs a restart: endpoint"
        #expect(ending == Ending(status: 0, output: report + "\n", errors: ""))
        #expect(try await status(of: broker) == "200")
        #expect(broker.program.errors.contains(report), "a reload is logged")
        #expect(try await broker.cli("publish", "/kept", "1").status == 0)
        let kept = try await Program.run("/usr/bin/env", "curl", "-sf", broker.url + "/channels/kept?since=0")
        #expect(kept.output.contains(#""data":1"#))

        // A mistake: it is told, and what holds stays, what is right in the file included.
        _ = try folder.write("allow-origin: []\nthreads: none\n", to: "fanfare.yaml")
        let refused = try await Program.run("broker-server", "reload", "--database", database)
        #expect(
            refused
                == Ending(
                    status: 78, output: "",
                    errors: "broker-server: \(path):2:10: threads: none is not a number from 1 to 256\n"))
        #expect(try await status(of: broker) == "200")
        try await broker.stop()
    }

    /// Whoever has read that the broker listens need not wait any longer.
    @Test
    func takesCommandsWhenItSaysThatItListens() async throws {
        let folder = try TemporaryFolder()
        let database = folder.path("fanfare.db")
        let broker = try await RunningBroker("--database", database)
        #expect(FileManager.default.fileExists(atPath: database + ".control"))
        try await broker.stop()
        #expect(!FileManager.default.fileExists(atPath: database + ".control"))
    }

    /// A broker on loopback answers to the hosts of the pages that it lets in, and to those that are listed.
    @Test
    func names() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("", to: "fanfare.yaml")
        let database = folder.path("fanfare.db")
        let broker = try await RunningBroker("--config", path, "--database", database)
        func status(_ host: String) async throws -> String {
            try await Self.status(of: broker.url + "/health/live", "-H", "Host: \(host)")
        }
        #expect(try await [status("app.example"), status("broker.example")] == ["421", "421"])
        _ = try folder.write("allow-origin: \(Self.foreign)\nallow-host: broker.example\n", to: "fanfare.yaml")
        let ending = try await Program.run("broker-server", "reload", "--database", database)
        #expect(ending.output == "2 applied: allow-origin, allow-host; 0 need a restart\n")
        #expect(try await [status("app.example"), status("broker.example")] == ["200", "200"])
        try await broker.stop()
    }

    /// The service manager is told as well.
    @Test
    func signal() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("", to: "fanfare.yaml")
        let notices = try NotificationSocket(at: folder.path("notify"))
        let broker = try await RunningBroker(
            "--config", path, "--database", ":memory:", environment: ["NOTIFY_SOCKET": folder.path("notify")])
        #expect(try notices.next() == "READY=1")
        _ = try folder.write("allow-origin: \(Self.foreign)\n", to: "fanfare.yaml")
        broker.program.send(signal: SIGHUP)
        #expect(try notices.next().hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
        #expect(try notices.next() == "READY=1")
        #expect(try await status(of: broker) == "200")
        broker.program.send(signal: SIGTERM)
        #expect(try notices.next() == "STOPPING=1")
        #expect(try await broker.program.end().status == 0)
    }

    /// A service manager that wants to hear that the broker is alive does, again and again.
    @Test
    func watchdog() async throws {
        let folder = try TemporaryFolder()
        let notices = try NotificationSocket(at: folder.path("notify"))
        let broker = try await RunningBroker(
            "--database", ":memory:",
            environment: ["NOTIFY_SOCKET": folder.path("notify"), "WATCHDOG_USEC": "20000000"])
        func nextBeat() throws -> ContinuousClock.Instant {
            while try notices.next() != "WATCHDOG=1" {}
            return .now
        }
        // Within its time there are two more behind one: the next may be late, or fail.
        let first = try nextBeat()
        _ = try nextBeat()
        #expect(try nextBeat() - first < .seconds(20))
        try await broker.stop()
    }

    /// What is said of listeners: their files are applied, the rest waits.
    @Test
    func listeners() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("listeners: [{name: a, listen: \"127.0.0.1:0\"}]\n", to: "fanfare.yaml")
        let database = folder.path("fanfare.db")
        let broker = try await RunningBroker("--config", path, "--database", database)
        _ = try folder.write(
            "log-level: warning\nlisteners: [{name: a, listen: \"127.0.0.1:1\"}, {listen: \"127.0.0.1:2\"}]\n",
            to: "fanfare.yaml")
        let ending = try await Program.run("broker-server", "reload", "--database", database)
        #expect(ending.output == "1 applied: log-level; 2 need a restart: listeners[0].listen, listeners[1]\n")
        try await broker.stop()
    }

    @Test
    func noBroker() async throws {
        let folder = try TemporaryFolder()
        let database = folder.path("fanfare.db")
        let ending = try await Program.run("broker-server", "reload", "--database", database)
        #expect(ending == Ending(status: 69, output: "", errors: "broker-server: no broker runs on \(database)\n"))
    }

    /// One that waits for its connections ends at the second signal.
    @Test
    func secondSignal() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("timeouts: {shutdown: 10m, request: 10m}\n", to: "fanfare.yaml")
        let notices = try NotificationSocket(at: folder.path("notify"))
        let broker = try await RunningBroker(
            "--config", path, "--database", ":memory:", "--threads", "1",
            environment: ["NOTIFY_SOCKET": folder.path("notify")])
        #expect(try notices.next() == "READY=1")
        // A request whose end does not come is waited for.
        let script = """
            exec 3<>/dev/tcp/127.0.0.1/\(broker.port)
            printf 'POST /channels/a HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 9\\r\\n\\r\\n1' >&3
            echo sent
            cat <&3
            """
        let client = try Program("/usr/bin/env", ["bash", "-c", script])
        #expect(try await client.line() == "sent")
        // What came before it has arrived, too: there is one event loop.
        #expect(try await status(of: broker) == "403")
        broker.program.send(signal: SIGTERM)
        #expect(try notices.next() == "STOPPING=1")
        #expect(broker.program.isRunning)
        broker.program.send(signal: SIGTERM)
        let ending = try await broker.program.end()
        #expect(ending.status == 143)
    }

    /// What a page of another origin gets when it publishes.
    private func status(of broker: RunningBroker) async throws -> String {
        try await Self.status(of: broker.url + "/channels/demo", "-H", "Origin: \(Self.foreign)", "-d", "1")
    }

    /// The status that curl gets with these options.
    private static func status(of url: String, _ options: String...) async throws -> String {
        let curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}"]
        return try await Program("/usr/bin/env", curl + options + [url]).end().output
    }
}

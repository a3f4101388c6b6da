import Foundation
import Testing

/// `broker-server serve`: how it begins and ends.
@Suite(.timeLimit(.minutes(10)))
struct ServeTests {
    @Test
    func withoutConfiguration() async throws {
        let home = try TemporaryFolder()
        let broker = try await RunningBroker(environment: ["HOME": home.url.path])
        let port = broker.port
        let file = home.path(".local/state/fanfare/fanfare.db")
        let client = Program.folder.appending(path: "broker-cli").path
        #expect(
            broker.banner == [
                "Fanfare 0.1.0 is ready. Ctrl-C stops it.",
                "  page       http://127.0.0.1:\(port)/",
                "  subscribe  \(client) --url http://127.0.0.1:\(port)/bayeux subscribe '/demo/**'",
                "  publish    \(client) --url http://127.0.0.1:\(port)/bayeux publish /demo/hello '{\"text\":\"Hello\"}'",
                "             curl -d '{\"text\":\"Hello\"}' http://127.0.0.1:\(port)/channels/demo/hello",
                "  clients    http://127.0.0.1:\(port)/bayeux",
                "  data       \(file)",
                "  open to    this machine only; for others, too: --listen 0.0.0.0:\(port)",
            ])
        #expect(broker.banner.count <= 12)
        #expect(try permissions(of: file) == 0o600)
        #expect(try permissions(of: home.path(".local/state/fanfare")) == 0o700)

        let page = try await Program.run("/usr/bin/env", "curl", "-sf", "http://127.0.0.1:\(port)/")
        #expect(page.output.contains("<html"))

        // Every command that it prints can be pasted into a shell.
        let subscriber = try await broker.subscriber(to: "/demo/**", count: 2)
        for line in broker.banner where line.contains(" publish /demo") || line.contains("curl ") {
            let command = line.trimmingPrefix("  publish").trimmingCharacters(in: .whitespaces)
            let ending = try await Program.run("/bin/sh", "-c", command)
            #expect(ending.status == 0)
            #expect(try await subscriber.line() == #"{"channel":"/demo/hello","data":{"text":"Hello"}}"#)
        }
        #expect(try await subscriber.end().status == 0)

        let ending = try await broker.stop()
        #expect(ending.status == 0)
        #expect(ending.output.isEmpty)
    }

    /// A broker without a port says how others get in, too: not with the port that it does not have.
    @Test
    func unixSocketOnly() async throws {
        let folder = try TemporaryFolder()
        let broker = try Program(
            "broker-server", ["--listen", "unix:" + folder.path("s"), "--database", ":memory:"])
        var line = ""
        repeat { line = try await broker.line() } while !line.contains("open to")
        #expect(line == "  open to    this machine only; for others, too: --listen 0.0.0.0:8000")
        broker.send(signal: SIGTERM)
        #expect(try await broker.end().status == 0)
    }

    private func permissions(of path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test
    func stateFolderOfTheEnvironment() async throws {
        let folder = try TemporaryFolder()
        let broker = try await RunningBroker(environment: ["XDG_STATE_HOME": folder.url.path])
        #expect(broker.banner.contains("  data       \(folder.path("fanfare/fanfare.db"))"))
        try await broker.stop()
    }

    @Test
    func inMemory() async throws {
        let home = try TemporaryFolder()
        let broker = try await RunningBroker("--database", ":memory:", environment: ["HOME": home.url.path])
        #expect(broker.banner.contains("  data       nowhere: everything is gone when the broker stops"))
        #expect(try await broker.stop().status == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: home.url.path).isEmpty)
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func signal(number: Int32) async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let subscriber = try await broker.subscriber(to: "/a", options: ["--no-reconnect"])
        #expect(try await broker.stop(number).status == 0)
        let ending = try await subscriber.end()
        #expect(ending.status == 69)
        #expect(ending.errors == "broker-cli: \(broker.endpoint): the broker closed the connection (1012)\n")
    }

    @Test
    func portInUse() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let second = try await Program.run(
            "broker-server", "--database", ":memory:", "--listen", "127.0.0.1:\(broker.port)")
        #expect(
            second
                == Ending(
                    status: 69, output: "",
                    errors: """
                        broker-server: Cannot listen on 127.0.0.1:\(broker.port): the port is in use by another program. \
                        Stop that program, or choose another port with --listen 127.0.0.1:PORT (0 takes a free one).

                        """))
        try await broker.stop()
    }

    @Test
    func databaseInUse() async throws {
        let folder = try TemporaryFolder()
        let file = folder.path("fanfare.db")
        let broker = try await RunningBroker("--database", file)
        let second = try await Program.run("broker-server", "--database", file, "--listen", "127.0.0.1:0")
        #expect(
            second
                == Ending(
                    status: 73, output: "",
                    errors: """
                        broker-server: \(file): the database is in use by another broker. \
                        Stop the other broker, or give this one a database of its own with --database FILE

                        """))
        // The first one is not disturbed.
        #expect(try await broker.cli("publish", "/a", "1", "--retain").status == 0)
        try await broker.stop()
    }

    @Test
    func fileThatIsNoDatabase() async throws {
        let folder = try TemporaryFolder()
        let text = String(repeating: "This is a text. ", count: 100)
        let file = try folder.write(text, to: "text")
        let ending = try await Program.run("broker-server", "--database", file, "--listen", "127.0.0.1:0")
        #expect(
            ending
                == Ending(
                    status: 73, output: "",
                    errors: "broker-server: \(file): the file is not a database. "
                        + "Name another file with --database FILE\n"))
        #expect(try String(contentsOfFile: file, encoding: .utf8) == text)
    }

    @Test
    func retainedMessageOutlivesTheBroker() async throws {
        let folder = try TemporaryFolder()
        let file = folder.path("fanfare.db")
        let first = try await RunningBroker("--database", file)
        #expect(try await first.cli("publish", "/kept", "{\"a\":1}", "--retain").status == 0)
        #expect(try await first.stop().status == 0)

        let second = try await RunningBroker("--database", file)
        let ending = try await second.cli("subscribe", "/kept", "--count", "1")
        #expect(ending.status == 0)
        #expect(ending.output.hasPrefix(#"{"channel":"/kept","data":{"a":1},"ext":{"seq":1,"#))
        try await second.stop()
    }

    /// What was acknowledged is there, however the broker ended.
    @Test
    func retainedMessageOutlivesACrash() async throws {
        let folder = try TemporaryFolder()
        let file = folder.path("fanfare.db")
        let first = try await RunningBroker("--database", file)
        let lines = (1...500).map { "\($0)\n" }.joined()
        #expect(try await first.cli("publish", "/kept", "-", "--retain", input: .bytes(lines)).status == 0)
        #expect(try await first.stop(SIGKILL).status == 128 + SIGKILL)

        let second = try await RunningBroker("--database", file)
        let ending = try await second.cli("subscribe", "/kept", "--count", "1")
        #expect(ending.output.hasPrefix(#"{"channel":"/kept","data":500,"ext":{"seq":500,"#))
        try await second.stop()
    }
}

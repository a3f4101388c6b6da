import Foundation
import Testing

/// When `broker-cli subscribe` takes it that nothing more comes.
@Suite(.timeLimit(.minutes(10)))
struct SilenceTests {
    private let folder: TemporaryFolder
    private let options: [String]

    init() throws {
        folder = try TemporaryFolder()
        let file = try folder.write("channels:\n  /log/**:\n    history: 1000\n", to: "fanfare.yaml")
        options = ["--config", file, "--database", folder.path("fanfare.db")]
    }

    /// The time that a command takes is none of silence.
    @Test
    func commandsTakeTheirTime() async throws {
        let broker = try await RunningBroker(port: 0, options)
        #expect(try await broker.cli("publish", "/log/a", "1").status == 0)
        // It takes longer than the silence: that is what this is about.
        let command = """
            read n; echo $n
            test $n = 2 || { sleep 4 && broker-cli --url \(broker.endpoint) publish /log/a 2; }
            """
        let ending = try await broker.cli("subscribe", "/log/a", "--all", "--idle", "2", "--exec", command)
        #expect(ending == Ending(status: 0, output: "1\n2\n", errors: ""))
        try await broker.stop()
    }

    /// Without a connection there is no silence, but no end of what was asked for either.
    @Test
    func connectionIsLost() async throws {
        let first = try await RunningBroker(port: RunningBroker.portToKeep(), options)
        #expect(try await first.cli("publish", "/log/a", "1").status == 0)
        // The broker is gone before the command has ended.
        let command = "echo started; until test -e \(folder.path("go")); do :; done"
        let subscriber = try Program(
            "broker-cli",
            ["--url", first.endpoint, "subscribe", "/log/a", "--all", "--idle", "2", "--exec", command])
        #expect(try await subscriber.line() == "started")
        try await first.stop(SIGKILL)
        while subscriber.isRunning, !subscriber.errors.contains("trying again") { await Task.yield() }
        _ = try folder.write("", to: "go")
        // Another one, which lasts longer than the silence: it has never had a connection.
        let other = try await first.cli("subscribe", "/log/a", "--retry", "60", "--timeout", "4")
        #expect(other.status == 69)
        #expect(
            other.errors.hasSuffix(
                "broker-cli: \(first.endpoint): the time is over, and there was no connection\n"))
        #expect(subscriber.isRunning)

        let second = try await RunningBroker(port: first.port, options)
        let ending = try await subscriber.end()
        #expect(ending.status == 0)
        #expect(ending.errors.contains("broker-cli: connected again"))
        try await second.stop()
    }
}

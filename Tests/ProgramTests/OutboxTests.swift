import Foundation
import Support
import Testing

/// `publish --spool` and `subscribe --state --exec`: what must survive brokers and shells that are killed.
@Suite(.timeLimit(.minutes(10)))
struct OutboxTests {
    private static let done = Ending(status: 0, output: "", errors: "")
    private static let configuration = "channels:\n  /log/**:\n    history: 100000\n"

    private let folder: TemporaryFolder
    private let options: [String]

    init() throws {
        folder = try TemporaryFolder()
        let file = try folder.write(Self.configuration, to: "fanfare.yaml")
        options = ["--config", file, "--database", folder.path("fanfare.db")]
    }

    private func numbers(_ broker: RunningBroker, _ channel: String) async throws -> [Int] {
        let ending = try await broker.cli("history", channel, "--format", "raw")
        #expect(ending.status == 0)
        return ending.output.split(separator: "\n").compactMap { Int($0) }
    }

    @Test
    func spoolWaitsForTheBroker() async throws {
        let first = try await RunningBroker(port: RunningBroker.portToKeep(), options)
        try await first.stop()
        let spool = folder.path("spool")
        let ending = try await first.cli("publish", "/log/s", "1", "--spool", spool, "--retry", "0")
        #expect(ending.status == 75)
        #expect(ending.output.isEmpty)
        #expect(ending.errors.hasSuffix("broker-cli: 1 document waits in \(spool)\n"))

        let second = try await RunningBroker(port: first.port, options)
        #expect(try await second.cli("publish", "/log/s", "2", "--spool", spool) == Self.done)
        #expect(try await numbers(second, "/log/s") == [1, 2])
        // What is refused for good does not hold up the rest.
        let refused = try await second.cli("publish", "/log/a.b", "3", "--spool", spool)
        #expect(refused.status == 65)
        #expect(try FileManager.default.contentsOfDirectory(atPath: spool + "/refused").count == 1)
        #expect(try await second.cli("flush", spool) == Self.done)
        try await second.stop()
    }

    /// A pipe that goes on: what came is sent, and not only at the end.
    @Test
    func spoolIsSentMeanwhile() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let subscriber = try await broker.subscriber(to: "/s")
        let publisher = try Program(
            "/bin/sh",
            [
                "-c",
                "(echo 1; exec tail -f /dev/null) | exec broker-cli --url \(broker.endpoint) publish /s - "
                    + "--spool \(folder.path("spool"))",
            ])
        #expect(try await subscriber.line() == #"{"channel":"/s","data":1}"#)
        #expect(publisher.isRunning)
        subscriber.send(signal: SIGTERM)
        _ = try await subscriber.end()
        try await broker.stop()
    }

    /// A full outbox: what has no room is refused, and what has is kept.
    @Test
    func spoolIsFull() async throws {
        let first = try await RunningBroker(port: RunningBroker.portToKeep(), options)
        try await first.stop()
        let spool = folder.path("spool")
        func publish(_ text: String) async throws -> Ending {
            try await first.cli("publish", "/log/f", text, "--spool", spool, "--spool-limit", "500", "--retry", "0")
        }
        #expect(try await publish("1").status == 75)
        let large = "\"" + String(repeating: "x", count: 400) + "\""
        let full = try await publish(large)
        #expect(full.status == 73)
        #expect(
            full.errors.hasSuffix(
                "broker-cli: \(spool) is full (--spool-limit), and 1 document waits in \(spool); "
                    + "what came last is not kept\n"))
        let second = try await RunningBroker(port: first.port, options)
        // There is room again as soon as the broker has what waits.
        let ending = try await second.cli(
            "publish", "/log/f", large, "--spool", spool, "--spool-limit", "500", "--retry", "30")
        #expect(ending == Self.done)
        let history = try await second.cli("history", "/log/f", "--format", "raw")
        #expect(history.output == "1\n\(large)\n")
        try await second.stop()
    }

    /// A publisher and the broker are killed at random; each document is stored once, in order.
    @Test
    func spoolOutlivesKills() async throws {
        let seed = UInt64.random(in: 0...9_999)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let spool = folder.path("spool")
        var broker = try await RunningBroker(port: RunningBroker.portToKeep(), options)
        let port = broker.port
        var last = 0
        for _ in 0..<20 {
            let count = Int.random(in: 1...200, using: &generator)
            let lines = (last + 1...last + count).map { "\($0)\n" }.joined()
            last += count
            // It is killed when its lines are in the spool, or later.
            let publisher = try Program(
                "broker-cli", ["--url", broker.endpoint, "publish", "/log/k", "-", "--spool", spool],
                input: .bytes(lines))
            while publisher.isRunning, !isSpooled(last, in: spool) { await Task.yield() }
            for _ in 0..<Int.random(in: 0...2_000, using: &generator) { await Task.yield() }
            publisher.send(signal: SIGKILL)
            _ = try await publisher.end()
            if Bool.random(using: &generator) {
                try await broker.stop(SIGKILL)
                broker = try await RunningBroker(port: port, options)
            }
        }
        #expect(try await broker.cli("flush", spool) == Self.done)
        let stored = try await numbers(broker, "/log/k")
        #expect(stored == Array(1...last))
        try await broker.stop()
    }

    private func isSpooled(_ number: Int, in spool: String) -> Bool {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: spool)) ?? []
        return names.contains { name in
            guard name.hasSuffix(".segment") else { return false }
            let text = try? String(contentsOfFile: "\(spool)/\(name)", encoding: .utf8)
            return text?.contains("\"data\":\(number)}") == true
        }
    }

    /// A subscriber whose command fails, and which is killed, goes on behind the last command that succeeded.
    @Test
    func positionMovesAfterSuccess() async throws {
        let broker = try await RunningBroker(port: RunningBroker.portToKeep(), options)
        let lines = (1...10).map { "\($0)\n" }.joined()
        #expect(try await broker.cli("publish", "/log/e", "-", input: .bytes(lines)) == Self.done)
        let state = folder.path("state")
        let first = try await broker.cli(
            "sub", "/log/e", "--since", "0", "--state", state, "--exec",
            "read n; test $n -lt 4 && echo $n $FANFARE_SEQ $FANFARE_CHANNEL")
        #expect(
            first
                == Ending(
                    status: 70, output: "1 1 /log/e\n2 2 /log/e\n3 3 /log/e\n",
                    errors: "broker-cli: the command failed on /log/e #4, with status 1\n"))
        let second = try await broker.cli(
            "sub", "/log/e", "--state", state, "--exec", "cat", "--exec-concurrency", "3", "--count", "7")
        #expect(second.status == 0)
        #expect(second.output.split(separator: "\n").compactMap { Int($0) }.sorted() == Array(4...10))
        let third = try await broker.cli("sub", "/log/e", "--state", state, "--until-end", "--idle", "3")
        #expect(third == Self.done)
        let text = try String(contentsOfFile: state, encoding: .utf8)
        #expect(text.hasPrefix(#"{"seq":10,"epoch":""#))
        try await broker.stop()
    }

    /// Subscriber and broker are killed at random; every message has its command succeed, in order, some twice.
    @Test
    func commandsOutliveKills() async throws {
        let seed = UInt64.random(in: 0...9_999)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        var broker = try await RunningBroker(port: RunningBroker.portToKeep(), options)
        let port = broker.port
        let (state, log) = (folder.path("state"), folder.path("log"))
        let command = ["sub", "/log/x", "--since", "0", "--state", state, "--exec", "cat >> \(log)"]
        var last = 0
        for _ in 0..<20 {
            let count = Int.random(in: 1...20, using: &generator)
            let lines = (last + 1...last + count).map { "\($0)\n" }.joined()
            last += count
            #expect(try await broker.cli("publish", "/log/x", "-", input: .bytes(lines)) == Self.done)
            let subscriber = try Program("broker-cli", ["--url", broker.endpoint] + command)
            let wanted = last - Int.random(in: 0..<count, using: &generator)
            while subscriber.isRunning, !seen(log).contains(wanted) { await Task.yield() }
            if Bool.random(using: &generator) {
                try await broker.stop(SIGKILL)
                broker = try await RunningBroker(port: port, options)
            }
            subscriber.send(signal: SIGKILL)
            _ = try await subscriber.end()
        }
        let subscriber = try Program("broker-cli", ["--url", broker.endpoint] + command)
        while subscriber.isRunning, !seen(log).contains(last) { await Task.yield() }
        subscriber.send(signal: SIGTERM)
        #expect(try await subscriber.end().status == 143)
        var highest = 0
        for number in seen(log) {
            #expect(number <= highest + 1, "\(number) follows \(highest)")
            highest = max(highest, number)
        }
        #expect(highest == last)
        try await broker.stop()
    }

    private func seen(_ log: String) -> [Int] {
        ((try? String(contentsOfFile: log, encoding: .utf8)) ?? "").split(separator: "\n").compactMap { Int($0) }
    }

    /// The broker has forgotten the session: the subscriber begins a new one, with the same subscriptions.
    @Test
    func newSession() async throws {
        let options = Array(options.prefix(2)) + ["--database", ":memory:"]
        let first = try await RunningBroker(
            port: RunningBroker.portToKeep(), options)
        let subscriber = try await first.subscriber(to: "/log/n")
        try await first.stop()
        let second = try await RunningBroker(port: first.port, options)
        // A number that the old log has given already.
        #expect(try await second.cli("publish", "/log/n", "1") == Self.done)
        while subscriber.isRunning, !subscriber.errors.contains("connected again") { await Task.yield() }
        #expect(try await second.cli("publish", "/log/n", "2") == Self.done)
        for number in 1...2 {
            let start = #"{"channel":"/log/n","data":\#(number),"ext":{"seq":\#(number),"#
            #expect(try await subscriber.line().hasPrefix(start))
        }
        subscriber.send(signal: SIGINT)
        let ending = try await subscriber.end()
        #expect(ending.status == 130)
        #expect(ending.output.isEmpty)
        #expect(
            ending.errors == """
                broker-cli: the broker closed the connection (1012); trying again
                broker-cli: connected again, in a new session

                """)
        try await second.stop()
    }

    /// A subscriber outlives the broker, and gets what was published meanwhile.
    @Test
    func subscriberReconnects() async throws {
        let first = try await RunningBroker(port: RunningBroker.portToKeep(), options)
        #expect(try await first.cli("publish", "/log/r", "1") == Self.done)
        let subscriber = try Program(
            "broker-cli", ["--url", first.endpoint, "sub", "/log/r", "--since", "0", "--count", "3", "--format", "raw"])
        #expect(try await subscriber.line() == "1")
        try await first.stop(SIGKILL)
        let second = try await RunningBroker(port: first.port, options)
        #expect(try await second.cli("publish", "/log/r", "-", input: .bytes("2\n3\n")) == Self.done)
        #expect(try await subscriber.line() == "2")
        #expect(try await subscriber.line() == "3")
        let ending = try await subscriber.end()
        #expect(ending.status == 0)
        let lines = ending.errors.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first?.hasSuffix("; trying again") == true)
        #expect(lines.last?.hasPrefix("broker-cli: connected again") == true)
        try await second.stop()
    }
}

import Foundation
import Testing

/// `broker-cli bench`: what it counts, in each form.
@Suite(.timeLimit(.minutes(10)))
struct BenchTests {
    @Test
    func forms() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let table = try await broker.cli("bench", "--count", "500", "--publishers", "3", "--subscribers", "2")
        #expect(table.status == 0)
        #expect(
            table.errors
                == "broker-cli: 500 documents of 100 bytes, window 128, 3 publishers, 2 subscribers, \(broker.endpoint)\n"
        )
        let rows = table.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        try #require(rows.map(\.first) == ["100", "published", "delivered", "time", "acknowledged", "delivered"])
        #expect(rows[1].dropFirst().first == "500")
        #expect(rows[2].dropFirst().first == "1,000")
        #expect(rows[2].last == "0")

        let json = try await broker.cli("bench", "--count", "300", "--size", "24", "--size", "2000", "--json")
        let lines = json.output.split(separator: "\n")
        #expect(lines.count == 2)
        for (line, size) in zip(lines, [24, 2000]) {
            let object = try JSONDecoder().decode([String: Double].self, from: Data(line.utf8))
            #expect(object["size"] == Double(size))
            #expect(object["published"] == 300)
            #expect(object["delivered"] == 300)
            #expect(object["missing"] == 0)
            let times = ["p50", "p90", "p99", "p999", "max"].map { object["delivery_seconds_\($0)"] ?? -1 }
            #expect(times == times.sorted())
            #expect(times[0] > 0)
        }

        let csv = try await broker.cli("bench", "--count", "10", "--subscribers", "0", "--csv")
        let fields = csv.output.split(separator: "\n").map { $0.split(separator: ",") }
        try #require(fields.count == 2)
        #expect(fields[0].count == fields[1].count)
        #expect(fields[1].prefix(5) == ["100", "1", "0", "10", "0"])
        try await broker.stop()
    }

    @Test
    func rateAndMark() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let start = ContinuousClock.now
        let paced = try await broker.cli("bench", "--rate", "500", "--duration", "0.4", "--json", "--publishers", "2")
        #expect(ContinuousClock.now - start >= .seconds(0.39))
        let object = try JSONDecoder().decode([String: Double].self, from: Data(paced.output.utf8))
        #expect(object["published"] == 200)
        #expect(object["delivered"] == 200)
        let slow = try await broker.cli("bench", "--count", "10", "--fail-under", "1e12")
        #expect(slow.status == 1)
        #expect(slow.errors.hasSuffix("/s are fewer than 1,000,000,000,000/s\n"))
        try await broker.stop()
    }

    /// Time that a document waits before it is published counts: while the broker stands still, all that was planned
    /// meanwhile is late, and not only what was under way.
    @Test
    func waitingCounts() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let watcher = try await broker.subscriber(to: "/fanfare/bench/*")
        let program = try Program(
            "broker-cli", ["--url", broker.endpoint, "bench", "--rate", "300", "--duration", "10", "--json"])
        _ = try await watcher.line()
        broker.program.send(signal: SIGSTOP)
        // That the broker stands still for two seconds is what is tested.
        try await Task.sleep(for: .seconds(2))
        broker.program.send(signal: SIGCONT)
        let ending = try await program.end()
        let object = try JSONDecoder().decode([String: Double].self, from: Data(ending.output.utf8))
        #expect(object["delivered"] == 3000)
        let late = try #require(object["delivery_seconds_p90"])
        #expect(late > 0.4)
        watcher.send(signal: SIGTERM)
        _ = try await watcher.end()
        try await broker.stop()
    }
}

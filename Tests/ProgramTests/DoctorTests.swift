import Foundation
import Testing

/// `broker-cli doctor`: what it finds, of a broker and without one.
@Suite(.timeLimit(.minutes(10)))
struct DoctorTests {
    /// The steps and their results, in order.
    private static func steps(_ output: String) -> [[String]] {
        output.split(separator: "\n").filter { !$0.hasPrefix(" ") }.map {
            $0.split(separator: " ", omittingEmptySubsequences: true).prefix(2).map(String.init)
        }
    }

    @Test
    func everythingWorks() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let ending = try await broker.cli("doctor")
        #expect(ending.status == 0)
        #expect(ending.errors.isEmpty)
        #expect(
            Self.steps(ending.output) == [
                ["endpoint", "ok"], ["proxy", "-"], ["reach", "ok"], ["tls", "-"], ["broker", "ok"], ["clock", "ok"],
                ["origin", "ok"], ["publish", "ok"], ["websocket", "ok"], ["long-polling", "ok"],
                ["eventsource", "ok"], ["json-p", "ok"],
            ])
        try await broker.stop()
    }

    /// The short form: nothing is said when all is well.
    @Test
    func ping() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        #expect(try await broker.cli("ping") == Ending(status: 0, output: "", errors: ""))
        try await broker.stop()
        let url = "http://127.0.0.1:1/bayeux"
        let ending = try await Program.run("broker-cli", "--url", url, "ping", "--proxy", "none")
        let reason = "no broker answers at \(url): Connection refused. Is broker-server running there?"
        #expect(ending == Ending(status: 69, output: "", errors: "broker-cli: \(reason)\n"))
        let taken = try await Program.run("broker-cli", "ping", "--timeout", "soon")
        #expect(taken.status == 64)
    }

    @Test
    func answerThatIsNoScript() async throws {
        let server = try Acceptor(answer: "200 OK", "doctor(][")
        let ending = try await Program.run("broker-cli", "--url", server.endpoint, "doctor", "--proxy", "none")
        #expect(ending.output.contains("what was answered is no script: doctor(]["))
    }

    @Test
    func nobodyAnswers() async throws {
        let url = "http://127.0.0.1:1/bayeux"
        let reason = "no broker answers at \(url): Connection refused. Is broker-server running there?"
        let ending = try await Program.run("broker-cli", "--url", url, "doctor", "--proxy", "none")
        #expect(
            ending
                == Ending(
                    status: 69,
                    output: """
                        endpoint      ok       \(url)
                        proxy         -        none on the way
                        reach         failed   \(reason)
                                               -> start broker-server, or correct the host and port in --url

                        """,
                    errors: "broker-cli: reach failed: \(reason)\n"))
    }

    @Test
    func originsAndPaths() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let strange = try await broker.cli("doctor", "--origin", "https://strange.example", "--json")
        #expect(strange.status == 0)
        let told = strange.output.split(separator: "\n").first { $0.contains(#""step":"origin""#) }
        #expect(
            told?.hasPrefix(
                #"{"step":"origin","result":"warning","text":"pages of https://strange.example are not let in","#
                    + #""remedy":"start the broker with --allow-origin https://strange.example","ms":"#) == true)
        // Beside the endpoint: what goes there fails, and the rest works.
        let wrong = try await Program.run("broker-cli", "--url", broker.url + "/wrong", "doctor")
        #expect(wrong.status == 69)
        let failed = Self.steps(wrong.output).filter { $0.dropFirst().first == "failed" }.map(\.first)
        #expect(failed == ["websocket", "long-polling", "json-p"])
        #expect(wrong.output.contains("-> correct the path in --url; the broker's own is /bayeux\n"))
        try await broker.stop()
    }
}

import Foundation
import Testing

/// `broker-cli publish`.
@Suite(.timeLimit(.minutes(10)))
struct PublishTests {
    private static let done = Ending(status: 0, output: "", errors: "")

    @Test
    func argumentFileAndLines() async throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("{\"from\":\n  \"a file\"}\n", to: "document.json")
        let broker = try await RunningBroker("--database", ":memory:")
        let subscriber = try await broker.subscriber(to: "/cli", count: 7)
        #expect(try await broker.cli("publish", "/cli", "{\"from\":\"the command line\"}") == Self.done)
        #expect(try await broker.cli("publish", "/cli", "@" + file) == Self.done)
        let lines = "1\r\n\r\n\n  \t\n[2]\n\"drei\u{2028}\"\n"
        #expect(try await broker.cli("publish", "/cli", "-", input: .bytes(lines)) == Self.done)
        // No document, no line end.
        #expect(try await broker.cli("pub", "/cli", input: .bytes("null\n4")) == Self.done)

        let expected = [
            #"{"from":"the command line"}"#, "{\"from\":   \"a file\"}", "1", "[2]", "\"drei\u{2028}\"", "null", "4",
        ]
        for data in expected {
            #expect(try await subscriber.line() == #"{"channel":"/cli","data":\#(data)}"#)
        }
        #expect(try await subscriber.end() == Self.done)
        try await broker.stop()
    }

    @Test
    func badLineInTheMiddle() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let subscriber = try await broker.subscriber(to: "/cli", count: 3)
        let ending = try await broker.cli("publish", "/cli", "-", input: .bytes("1\n\n2\n{\n3\n"))
        #expect(
            ending
                == Ending(
                    status: 65, output: "", errors: "broker-cli: line 4: not JSON: unexpected end at byte 1\n"))
        #expect(try await broker.cli("publish", "/cli", "\"next\"") == Self.done)
        for data in ["1", "2", "\"next\""] {
            #expect(try await subscriber.line() == #"{"channel":"/cli","data":\#(data)}"#)
        }
        #expect(try await subscriber.end() == Self.done)
        try await broker.stop()
    }

    @Test
    func manyLinesArriveInOrder() async throws {
        let count = 10_000
        let broker = try await RunningBroker("--database", ":memory:")
        let subscriber = try await broker.subscriber(to: "/many", count: count)
        let lines = (0..<count).map { "{\"number\":\($0)}\n" }.joined()
        #expect(try await broker.cli("publish", "/many", "-", input: .bytes(lines)) == Self.done)
        for number in 0..<count {
            #expect(try await subscriber.line() == #"{"channel":"/many","data":{"number":\#(number)}}"#)
        }
        #expect(try await subscriber.end() == Self.done)
        try await broker.stop()
    }

    @Test
    func retainAndExpire() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        #expect(try await broker.cli("publish", "/kept", "1", "--retain", "--ttl", "1000") == Self.done)
        let ending = try await broker.cli("subscribe", "/kept", "--count", "1")
        #expect(ending.output.contains(#""data":1"#))
        #expect(ending.output.contains(#""retained":true"#))
        #expect(try await broker.cli("publish", "/kept", "null", "--retain") == Self.done)
        let none = try await Program.run("/usr/bin/env", "curl", "-s", broker.url + "/channels/kept")
        #expect(none.output.contains("\"status\":404"))
        try await broker.stop()
    }

    @Test
    func whereTheBrokerIs() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let nowhere = "http://127.0.0.1:1/bayeux"
        let subscriber = try await broker.subscriber(to: "/where", count: 5)
        let webSocketURL = "ws" + broker.endpoint.dropFirst("http".count)
        for url in [broker.endpoint, webSocketURL] {
            #expect(try await Program.run("broker-cli", "--url", url, "publish", "/where", "1") == Self.done)
            #expect(try await Program.run("broker-cli", "publish", "/where", "1", "--url", url) == Self.done)
        }
        // The flag wins over the environment.
        let environment = ["FANFARE_URL": broker.endpoint]
        #expect(try await Program.run("broker-cli", "publish", "/where", "1", environment: environment) == Self.done)
        let ending = try await Program.run(
            "broker-cli", "--url", nowhere, "publish", "/where", "1", environment: environment)
        #expect(ending.status == 69)
        for _ in 0..<5 { _ = try await subscriber.line() }
        #expect(try await subscriber.end() == Self.done)
        try await broker.stop()
    }
}

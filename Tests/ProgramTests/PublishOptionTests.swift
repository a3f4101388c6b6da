import Foundation
import Testing

/// What `broker-cli publish` can be told beyond the document: all of the output, and the exit status.
@Suite(.timeLimit(.minutes(10)))
struct PublishOptionTests {
    private static let done = Ending(status: 0, output: "", errors: "")
    private static let configuration = "channels:\n  /log/**:\n    history: 1000\n"

    private func broker(_ folder: TemporaryFolder) async throws -> RunningBroker {
        let file = try folder.write(Self.configuration, to: "fanfare.yaml")
        return try await RunningBroker("--config", file, "--database", ":memory:")
    }

    private func said(_ text: String) -> Ending { Ending(status: 0, output: "", errors: "broker-cli: \(text)\n") }

    @Test
    func receipts() async throws {
        let folder = try TemporaryFolder()
        let broker = try await broker(folder)
        #expect(
            try await broker.cli("publish", "/a", "1", "--verbose") == said("published: not kept, 0 subscribers now"))
        #expect(try await broker.cli("pub", "/log/a", "1", "-v") == said("published: seq 1, 0 subscribers now"))
        let subscriber = try await broker.subscriber(to: "/log/*")
        #expect(try await broker.cli("pub", "/log/b", "1", "-v") == said("published: seq 3, 1 subscriber now"))
        let many = try await broker.cli("pub", "/log/b", "-", "-v", input: .bytes("1\n2\n\n3\n"))
        #expect(many.status == 0)
        #expect(many.errors.hasPrefix("broker-cli: 3 published in "))
        #expect(many.errors.hasSuffix(", seq 4 to 6; the last one: 1 subscriber now\n"))
        #expect(try await broker.cli("pub", "/log/b", "1", "--quiet") == Self.done)
        subscriber.send(signal: SIGTERM)
        _ = try await subscriber.end()
        try await broker.stop()
    }

    @Test
    func nullAndTemplates() async throws {
        let folder = try TemporaryFolder()
        let broker = try await broker(folder)
        #expect(try await broker.cli("pub", "/log/t", "--null") == Self.done)
        let document = #"{"n":{{count}},"random":{{ random }},"at":["{{time}}",{{unix}}],"id":"{{ID}}"}"#
        #expect(try await broker.cli("pub", "/log/t", document, "--template", "--count", "2") == Self.done)
        #expect(
            try await broker.cli(
                "pub", "/log/t", "-", "--template", "--raw", input: .bytes("line {{count}}\n{{count}}\n"))
                == Self.done)
        // Without it, braces are text like any other.
        #expect(try await broker.cli("pub", "/log/t", "{{count}}", "--raw") == Self.done)
        let history = try await broker.cli("history", "/log/t", "--format", "raw")
        let lines = history.output.split(separator: "\n").map(String.init)
        try #require(lines.count == 6)
        #expect(lines[0] == "null")
        #expect(Array(lines[3...]) == ["\"line 1\"", "\"2\"", "\"{{count}}\""])
        let pattern = try Regex(
            #"\{"n":(\d+),"random":\d+,"at":\["\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",\d{13}\],"id":"[0-9a-f-]{36}"\}"#
        )
        for (number, line) in zip([1, 2], lines[1...2]) {
            let match = try #require(try pattern.wholeMatch(in: line))
            #expect(match[1].substring == "\(number)")
        }
        #expect(lines[1] != lines[2])
        #expect(
            try await broker.cli("pub", "/log/t", "[{{it}}]", "--template")
                == Ending(
                    status: 65, output: "",
                    errors: "broker-cli: the document: {{it}} is none of {{count}}, {{time}}, {{unix}}, {{id}}, "
                        + "{{random}}\n"))
        try await broker.stop()
    }

    /// As deep as the broker takes it, and gives it to a reader.
    @Test
    func deepest() async throws {
        let folder = try TemporaryFolder()
        let broker = try await broker(folder)
        let document = String(repeating: "[", count: 62) + String(repeating: "]", count: 62)
        #expect(try await broker.cli("publish", "/log/d", document) == Self.done)
        #expect(
            try await broker.cli("publish", "/log/d", document, "--spool", folder.path("spool")) == Self.done)
        let read = try await broker.cli("subscribe", "/log/d", "--all", "--count", "2", "--format", "raw")
        #expect(read.output == "\(document)\n\(document)\n")
        try await broker.stop()
    }

    @Test(arguments: ["", "\n \n"])
    func nothingToPublish(input: String) async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        #expect(
            try await broker.cli("publish", "/a", "-", input: .bytes(input))
                == Ending(
                    status: 65, output: "",
                    errors: "broker-cli: there is nothing to publish: standard input is empty, "
                        + "and no document was given\n"))
        try await broker.stop()
    }

    /// Some are refused: the status says so, and the rest is published.
    @Test
    func someAreRefused() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let ending = try await broker.cli("publish", "/meta/x", "-", "--verbose", input: .bytes("1\n2\n"))
        #expect(
            ending
                == Ending(
                    status: 77, output: "",
                    errors: "broker-cli: 2 of 2 messages refused: the broker answered "
                        + "403:/meta/x:Forbidden channel\n"))
        try await broker.stop()
    }

    /// A signal ends the input; what was taken from it is acknowledged before the program ends.
    @Test(arguments: [SIGINT, SIGTERM])
    func stoppedBySignal(number: Int32) async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let subscriber = try await broker.subscriber(to: "/p")
        let publisher = try Program(
            "broker-cli",
            [
                "--url", broker.endpoint, "pub", "/p", "{{count}}", "--template", "--count", "1000000", "--rate", "50",
                "-v",
            ])
        for count in 1...3 { #expect(try await subscriber.line() == #"{"channel":"/p","data":\#(count)}"#) }
        publisher.send(signal: number)
        let ending = try await publisher.end()
        #expect(ending.status == 128 + number)
        #expect(ending.output.isEmpty)
        let published = try #require(Int(ending.errors.dropFirst("broker-cli: ".count).prefix { $0.isNumber }))
        subscriber.send(signal: SIGTERM)
        let received = try await subscriber.end().output.split(separator: "\n")
        #expect(received.count == published - 3)
        try await broker.stop()
    }
}

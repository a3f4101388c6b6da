import Foundation
import Testing

/// What answers `publish --spool` and is no word of the broker on the document: nothing that waits is lost for it.
@Suite(.timeLimit(.minutes(10)))
struct OutboxAnswerTests {
    private static let done = Ending(status: 0, output: "", errors: "")

    struct Row: CustomTestStringConvertible, Sendable {
        var testDescription: String { "\(answer) \(body)" }
        let answer: String
        var body = ""
        let status: Int32
        /// What is said; `URL` stands for the server's.
        let message: String
    }
    private static let noBroker = "what answers is no broker: status "
    static let rows = [
        Row(
            answer: "200 OK", body: "<html>Log in</html>", status: 69,
            message: noBroker + "200, and no receipt"),
        Row(
            answer: "200 OK", body: #"{"id":"1","channel":"/log/s","seq":1}"#, status: 69,
            message: noBroker + "200, and no receipt"),
        Row(answer: "204 No Content", status: 69, message: noBroker + "204, and no receipt"),
        Row(answer: "302 Found", status: 69, message: noBroker + "302, and no receipt"),
        Row(
            answer: "404 Not Found", body: #"{"title":"Not Found","status":404,"detail":"Nothing is here"}"#,
            status: 69, message: noBroker + "404, and no receipt: Nothing is here"),
        Row(answer: "400 Bad Request", body: "Bad request", status: 69, message: noBroker + "400, and no receipt"),
        Row(
            answer: "401 Unauthorized", body: #"{"title":"Unauthorized","status":401,"detail":"The token is old"}"#,
            status: 77, message: "refused: the broker answered 401: The token is old"),
        Row(
            answer: "403 Forbidden", body: "<html>Filtered</html>", status: 77,
            message: "refused: the broker answered 403"),
    ]

    @Test
    func everythingIsKept() async throws {
        let folder = try TemporaryFolder()
        let spool = folder.path("spool")
        for (index, row) in Self.rows.enumerated() {
            let server = try Acceptor(answer: row.answer, row.body)
            let ending = try await Program.run(
                "broker-cli", "--url", server.endpoint, "publish", "/log/s", "\(index + 1)", "--spool", spool)
            let count = index == 0 ? "1 document waits" : "\(index + 1) documents wait"
            let errors = "broker-cli: \(count) in \(spool)\nbroker-cli: \(row.message)\n"
            #expect(ending == Ending(status: row.status, output: "", errors: errors), "\(row.testDescription)")
        }
        #expect(!FileManager.default.fileExists(atPath: spool + "/refused"))

        let file = try folder.write("channels:\n  /log/**:\n    history: 1000\n", to: "fanfare.yaml")
        let broker = try await RunningBroker("--config", file, "--database", ":memory:")
        #expect(try await broker.cli("flush", spool) == Self.done)
        let history = try await broker.cli("history", "/log/s", "--format", "raw")
        #expect(history.output == Self.rows.indices.map { "\($0 + 1)\n" }.joined())
        try await broker.stop()
    }

    /// What the broker, or a proxy, finds too large is put aside: the next one may be smaller.
    @Test
    func tooLargeForAProxy() async throws {
        let folder = try TemporaryFolder()
        let server = try Acceptor(answer: "413 Content Too Large", "<html></html>")
        let ending = try await Program.run(
            "broker-cli", "--url", server.endpoint, "publish", "/a", "1", "--spool", folder.path("spool"))
        #expect(
            ending == Ending(status: 65, output: "", errors: "broker-cli: refused: the broker answered 413\n"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("spool/refused")).count == 1)
    }

    /// A pipe that goes on: the program does not fill the outbox when nothing of it can be sent.
    @Test
    func endsBeforeItsInput() async throws {
        let folder = try TemporaryFolder()
        let server = try Acceptor(answer: "401 Unauthorized", "")
        // Both ends of the pipe are the program's: it does not end.
        let script = """
            mkfifo \(folder.path("pipe")) && exec 0<>\(folder.path("pipe")) && echo 1 >&0
            exec broker-cli --url \(server.endpoint) publish /s - --spool \(folder.path("spool"))
            """
        let ending = try await Program("/bin/sh", ["-c", script]).end()
        #expect(
            ending
                == Ending(
                    status: 77, output: "",
                    errors: "broker-cli: 1 document waits in \(folder.path("spool"))\n"
                        + "broker-cli: refused: the broker answered 401\n"))
    }

    /// What waits is refused before there is any input, as when a slow command is to write its one line: that is kept.
    @Test
    func inputThatComesLate() async throws {
        let folder = try TemporaryFolder()
        let (spool, pipe) = (folder.path("spool"), folder.path("pipe"))
        try FileManager.default.createDirectory(atPath: spool, withIntermediateDirectories: true)
        _ = try folder.write(#"{"key":"k","channel":"/s","data":1}"# + "\n", to: "spool/0000000000000001.segment")
        let (closed, continuation) = AsyncStream.makeStream(of: Void.self)
        let server = try Acceptor(answer: "401 Unauthorized", "") { continuation.yield() }
        #expect(mkfifo(pipe, 0o600) == 0)
        // Both ends are ours as well: the program does not see the end of its input.
        let input = open(pipe, O_RDWR | O_CLOEXEC)
        defer { close(input) }
        // An empty line is nothing to keep.
        #expect(write(input, "\n", 1) == 1)
        let program = try Program(
            "/bin/sh", ["-c", "exec broker-cli --url \(server.endpoint) publish /s - --spool \(spool) < \(pipe)"])
        for await _ in closed { break }
        while program.isRunning, !program.errors.contains("what comes first is kept") { await Task.yield() }
        #expect(write(input, "2\n", 2) == 2)
        let errors = """
            broker-cli: refused: the broker answered 401; what comes first is kept
            broker-cli: 2 documents wait in \(spool)
            broker-cli: refused: the broker answered 401

            """
        #expect(try await program.end() == Ending(status: 77, output: "", errors: errors))
    }

    /// A process may end between the two files that it takes away.
    @Test
    func countOfASegmentThatIsGone() async throws {
        let folder = try TemporaryFolder()
        let spool = folder.path("spool")
        try FileManager.default.createDirectory(atPath: spool, withIntermediateDirectories: true)
        _ = try folder.write("1", to: "spool/0000000000000001.done")
        let file = try folder.write("channels:\n  /log/**:\n    history: 1000\n", to: "fanfare.yaml")
        let broker = try await RunningBroker("--config", file, "--database", ":memory:")
        #expect(try await broker.cli("publish", "/log/s", "1", "--spool", spool) == Self.done)
        #expect(try await broker.cli("history", "/log/s", "--format", "raw").output == "1\n")
        try await broker.stop()
    }
}

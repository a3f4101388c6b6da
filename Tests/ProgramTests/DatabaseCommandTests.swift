import Foundation
import Testing

/// `broker-server backup`, `check` and `migrate`, beside a broker that runs and without one.
@Suite(.timeLimit(.minutes(10)))
struct DatabaseCommandTests {
    private let folder: TemporaryFolder
    private let file: String

    init() throws {
        folder = try TemporaryFolder()
        file = folder.path("fanfare.db")
    }

    private func command(_ arguments: String...) async throws -> Ending {
        try await Program("broker-server", arguments).end()
    }

    private func report(_ path: String, epoch: String, last: Int, publications: Int) -> String {
        """
        \(path)
        schema version 7
        epoch \(epoch)
        last sequence number \(last)
        publications \(publications)
        channels with a history 0
        retained messages \(publications)
        sessions 0
        subscriptions 0
        sound

        """
    }

    /// The epoch in what `check` says.
    private func epoch(in output: String) throws -> String {
        let line = try #require(output.split(separator: "\n").first { $0.hasPrefix("epoch ") })
        return String(line.dropFirst(6))
    }

    @Test
    func besideABroker() async throws {
        let broker = try await RunningBroker("--database", file)
        for channel in ["/a", "/b"] { #expect(try await broker.cli("publish", channel, "1", "--retain").status == 0) }
        let copy = folder.path("copy.db")
        #expect(
            try await command("backup", "--database", file, copy)
                == Ending(status: 0, output: "\(copy): a copy of \(file)\n", errors: ""))
        #expect(
            try await command("backup", "--database", file, copy)
                == Ending(
                    status: 73, output: "",
                    errors: "broker-server: \(copy): the file exists. Name one that does not exist\n"))
        let check = try await command("check", "--database", file)
        let name = try epoch(in: check.output)
        #expect(
            check == Ending(status: 0, output: report(file, epoch: name, last: 2, publications: 2), errors: ""))
        #expect(
            try await command("migrate", "--database", file)
                == Ending(
                    status: 73, output: "",
                    errors: """
                        broker-server: \(file): the database is in use by another broker. \
                        Stop the other broker, or give this one a database of its own with --database FILE

                        """))
        // Only its owner can reach the socket.
        let access = try FileManager.default.attributesOfItem(atPath: file + ".control")[.posixPermissions] as? Int
        #expect(access == 0o600)
        try await broker.stop()
        #expect(!FileManager.default.fileExists(atPath: file + ".control"))

        let second = try await RunningBroker("--database", copy)
        #expect(try await second.cli("subscribe", "/*", "--count", "2").status == 0)
        try await second.stop()
        let checkOfCopy = try await command("check", "--database", copy)
        #expect(try epoch(in: checkOfCopy.output) != name)
    }

    @Test
    func withoutABroker() async throws {
        let broker = try await RunningBroker("--database", file)
        #expect(try await broker.cli("publish", "/a", "1", "--retain").status == 0)
        #expect(try await broker.stop(SIGKILL).status == 128 + SIGKILL)
        let copy = folder.path("copy.db")
        #expect(try await command("backup", "--database", file, copy).status == 0)
        #expect(try await command("check", "--database", copy).status == 0)
        for arguments in [["migrate"], ["migrate", "--check"]] {
            #expect(
                try await Program("broker-server", arguments + ["--database", file]).end()
                    == Ending(status: 0, output: "\(file): up to date\n", errors: ""))
        }
    }

    @Test(arguments: [["check"], ["migrate"], ["revoke", "--subject", "alice"]])
    func nothingThere(arguments: [String]) async throws {
        #expect(
            try await Program("broker-server", arguments + ["--database", file]).end()
                == Ending(
                    status: 73, output: "",
                    errors: "broker-server: \(file): there is no database. Name it with --database\n"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("")).isEmpty)
    }

    @Test
    func notInMemory() async throws {
        #expect(
            try await command("check", "--database", ":memory:")
                == Ending(
                    status: 64, output: "", errors: "broker-server: --database: this takes a file, not :memory:\n"))
    }

    /// The example names every key, and no other.
    @Test
    func exampleConfiguration() async throws {
        let example = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../deploy/fanfare.yaml"
        ).standardized.path
        #expect(
            try await command("check-config", example) == Ending(status: 0, output: "\(example): good\n", errors: ""))
    }
}

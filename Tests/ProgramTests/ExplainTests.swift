import Foundation
import Testing

/// `broker-server explain --as`: a token is allowed what it would be allowed at the broker that is asked about.
@Suite(.timeLimit(.minutes(10)))
struct ExplainTests {
    private let folder: TemporaryFolder
    private let configuration: String
    private let database: String
    private let list: String

    init() throws {
        folder = try TemporaryFolder()
        let secret = try folder.write("a secret that is long enough for a token\n", to: "secret")
        // As in the package: the configuration does not name the database.
        configuration = try folder.write("auth: {keys: [\(secret)]}\n", to: "fanfare.yaml")
        database = folder.path("fanfare.db")
        list = database + ".revoked"
    }

    private func explain(_ arguments: String...) async throws -> Ending {
        let made = try await Program.run(
            "broker-server", "token", "--subject", "alice", "--id", "t1", "--publish", "/a", "--key",
            folder.path("secret"))
        let token = made.output.trimmingCharacters(in: .whitespacesAndNewlines)
        let command = ["explain", "publish", "/a", "--config", configuration, "--as", token]
        return try await Program("broker-server", command + arguments).end()
    }

    @Test
    func revokedTokenIsDenied() async throws {
        _ = try folder.write("token t1\n", to: "fanfare.db.revoked")
        #expect(
            try await explain("--database", database)
                == Ending(status: 65, output: "", errors: "broker-server: Token revoked: \(list)\n"))
    }

    @Test
    func saysWhichListItIs() async throws {
        let none = try await explain("--database", database)
        #expect(none.status == 0)
        #expect(none.output.hasSuffix("\nrevocations: there is no \(list)\n"))
        _ = try folder.write("token another\n", to: "fanfare.db.revoked")
        let one = try await explain("--database", database)
        #expect(one.status == 0)
        #expect(one.output.hasSuffix("\nrevocations: \(list)\n"))
        let memory = try await explain("--database", ":memory:")
        #expect(memory.status == 0)
        #expect(memory.output.hasSuffix("\nrevocations: none are kept by a broker without a database\n"))
    }

    @Test
    func listThatCannotBeReadIsAnError() async throws {
        try FileManager.default.createDirectory(atPath: list, withIntermediateDirectories: true)
        #expect(
            try await explain("--database", database)
                == Ending(status: 73, output: "", errors: "broker-server: \(list): the file cannot be read\n"))
        try FileManager.default.removeItem(atPath: list)
        _ = try folder.write("subject 12\n", to: "fanfare.db.revoked")
        let bad = try await explain("--database", database)
        #expect(bad.status == 73)
        #expect(bad.output.isEmpty)
        #expect(bad.errors.hasPrefix("broker-server: \(list):1: "))
    }
}

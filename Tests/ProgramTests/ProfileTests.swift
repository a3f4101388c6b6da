import Foundation
import Testing

/// Profiles, and which of flags, environment and profile wins.
@Suite(.timeLimit(.minutes(10)))
struct ProfileTests {
    private static let done = Ending(status: 0, output: "", errors: "")
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path("fanfare/profiles.yaml")
        try FileManager.default.createDirectory(
            atPath: folder.path("fanfare"), withIntermediateDirectories: true)
    }

    private func write(_ text: String, mode: Int = 0o600) throws {
        try Data(text.utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    private func cli(_ arguments: String..., environment: [String: String] = [:]) async throws -> Ending {
        let variables = environment.merging(["XDG_CONFIG_HOME": folder.url.path]) { $1 }
        return try await Program("broker-cli", arguments, environment: variables).end()
    }

    private static let two = """
        one:
          url: http://127.0.0.1:1/one
          format: raw
        two:
          url: http://127.0.0.1:2/two
          token: secret
          proxy: http://name:word@127.0.0.1:3

        """

    @Test
    func choosing() async throws {
        #expect(try await cli("profile", "list") == Self.done)
        try write(Self.two)
        #expect(try await cli("profile", "list") == Ending(status: 0, output: "  one\n  two\n", errors: ""))
        func using(_ name: String) async throws -> Ending { try await cli("profile", "use", name) }
        func chosen(_ name: String) -> Ending {
            Ending(status: 0, output: "", errors: "broker-cli: the profile is \(name)\n")
        }
        #expect(
            try await using("-") == Ending(status: 64, output: "", errors: "broker-cli: no profile was in use before\n")
        )
        #expect(try await using("one") == chosen("one"))
        #expect(try await using("two") == chosen("two"))
        #expect(try await using("-") == chosen("one"))
        #expect(try await using("-") == chosen("two"))
        #expect(try await cli("profile", "list") == Ending(status: 0, output: "  one\n* two\n", errors: ""))
        #expect(
            try await using("three")
                == Ending(status: 64, output: "", errors: "broker-cli: \(path): there is no profile three\n"))
        // One that was removed is as if none had been chosen.
        try write("one:\n  url: http://127.0.0.1:1/one\n")
        #expect(
            try await cli("profile", "show")
                == Ending(status: 66, output: "", errors: "broker-cli: no profile is in use\n"))
    }

    @Test
    func showing() async throws {
        try write(Self.two)
        #expect(
            try await cli("profile", "show", "two")
                == Ending(
                    status: 0,
                    output: """
                        url         http://127.0.0.1:2/two
                        token       ********
                        proxy       http://********@127.0.0.1:3

                        """, errors: ""))
        #expect(
            try await cli(
                "profile", "show", "--effective", "--ca", "c", "--profile", "two",
                environment: ["FANFARE_TOKEN_FILE": "f", "FANFARE_FORMAT": "", "FANFARE_PROFILE": "one"])
                == Ending(
                    status: 0,
                    output: """
                        profile     two
                        url         http://127.0.0.1:2/two   (profile two)
                        token-file  f   (FANFARE_TOKEN_FILE)
                        ca          c   (--ca)
                        proxy       http://********@127.0.0.1:3   (profile two)

                        """, errors: ""))
        #expect(
            try await cli("profile", "show", "--effective", environment: ["FANFARE_URL": "http://h/"])
                == Ending(
                    status: 0, output: "profile     none\nurl         http://h/   (FANFARE_URL)\n", errors: ""))
    }

    struct Wrong: CustomTestStringConvertible, Sendable {
        var testDescription: String { text }
        let text: String
        var status: Int32 = 65
        let message: String
    }
    static let wrong = [
        Wrong(text: "a: [", message: ": no YAML: "),
        Wrong(text: "one", message: ":1:1: names of profiles are expected here"),
        Wrong(
            text: "one: two", message: ":1:6: profile one is keys and values, such as url: http://127.0.0.1:8000/bayeux"
        ),
        Wrong(
            text: "one:\n  ulr: x\n",
            message: ":2:3: \"ulr\" is none of the keys url, token, token-file, ca, cert, key, proxy, format"),
        Wrong(text: "one:\n  url:\n", message: ":2:7: url needs a value"),
        Wrong(
            text: "one:\n  token: a\n  token-file: b\n", message: ":1:1: profile one has both a token and a token-file"),
        Wrong(text: "two:\n  url: http://h/\n", status: 64, message: ": there is no profile one, only two"),
    ]

    @Test(arguments: wrong)
    func wrongFile(row: Wrong) async throws {
        try write(row.text)
        let ending = try await cli("publish", "/a", "1", "--profile", "one")
        #expect(ending.status == row.status)
        #expect(ending.output.isEmpty)
        #expect(ending.errors.hasPrefix("broker-cli: \(path)\(row.message)"))
        #expect(ending.errors.split(separator: "\n").count == 1)
    }

    @Test
    func othersMayReadIt() async throws {
        let remedy = "make it your own with: chmod 600"
        try write(Self.two, mode: 0o640)
        #expect(
            try await cli("publish", "/a", "1", "--profile", "one")
                == Ending(
                    status: 77, output: "",
                    errors: "broker-cli: \(path): others may read the file, and a profile holds a token; "
                        + "\(remedy) \(path)\n"))
        // Without a token there is nothing to hide.
        try write("one:\n  url: http://127.0.0.1:1/one\n", mode: 0o644)
        #expect(try await cli("publish", "/a", "1", "--profile", "one").status == 69)
        let token = try folder.write("secret\n", to: "token")
        for (mode, status) in [(0o604, 77), (0o640, 77), (0o400, 69)] as [(Int, Int32)] {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: token)
            let ending = try await cli("publish", "/a", "1", "--profile", "one", "--token-file", token)
            #expect(ending.status == status)
            if status == 77 { #expect(ending.errors.contains("it holds a token; \(remedy) \(token)")) }
        }
        for (index, text) in ["\n", "\r\n"].enumerated() {
            let empty = try folder.write(text, to: "empty-\(index)")
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: empty)
            #expect(
                try await cli("publish", "/a", "1", "--token-file", empty)
                    == Ending(status: 65, output: "", errors: "broker-cli: \(empty): there is no token in the file\n"))
        }
    }

    @Test
    func theProfileIsUsed() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        try write("here:\n  url: \(broker.endpoint)\n  format: '%{channel}=%{data}'\n")
        let environment = ["FANFARE_PROFILE": "here"]
        #expect(try await cli("publish", "/p", "1", "--retain", environment: environment) == Self.done)
        let list = ["retained", "list"]
        #expect(
            try await cli(list[0], list[1], environment: environment)
                == Ending(status: 0, output: "/p=1\n", errors: ""))
        #expect(
            try await cli(list[0], list[1], "--format", "raw", environment: environment)
                == Ending(status: 0, output: "1\n", errors: ""))
        #expect(
            try await cli(
                "--profile", "here", list[0], list[1], environment: ["FANFARE_FORMAT": "<%{data}>"])
                == Ending(status: 0, output: "<1>\n", errors: ""))
        #expect(
            try await cli(list[0], list[1], environment: environment.merging(["FANFARE_FORMAT": "xml"]) { $1 })
                == Ending(
                    status: 64, output: "",
                    errors: "broker-cli: FANFARE_FORMAT: --format is ndjson, raw, pretty or a template with %{data}, "
                        + "not xml\n"))
        try await broker.stop()
    }
}

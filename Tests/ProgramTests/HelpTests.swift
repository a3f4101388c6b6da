import Foundation
import Testing

/// Help, completions and cheat sheets: there, whole, and for each command.
@Suite(.timeLimit(.minutes(10)))
struct HelpTests {
    @Test(arguments: ["bash", "zsh", "fish"])
    func completions(shell: String) async throws {
        let ending = try await Program.run("broker-cli", "completions", shell)
        #expect(ending.status == 0)
        #expect(ending.errors.isEmpty)
        for word in ["subscribe", "profile", "until-end", "---completion"] {
            #expect(ending.output.contains(word), "\(word) in the completions for \(shell)")
        }
    }

    /// What the shell asks for when a name is completed: profiles, and channels that retain something.
    @Test
    func dynamicCompletions() async throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path("fanfare"), withIntermediateDirectories: true)
        let broker = try await RunningBroker("--database", ":memory:")
        _ = try folder.write(
            "here:\n  url: \(broker.endpoint)\nthere:\n  url: http://h/\n", to: "fanfare/profiles.yaml")
        let environment = ["XDG_CONFIG_HOME": folder.url.path]
        #expect(try await broker.cli("publish", "/a/1", "1", "--retain").status == 0)
        #expect(try await broker.cli("publish", "/b", "1", "--retain").status == 0)
        func ask(_ arguments: String...) async throws -> [Substring] {
            let ending = try await Program(
                "broker-cli", ["---completion"] + arguments, environment: environment
            ).end()
            #expect(ending.status == 0)
            return ending.output.split(separator: "\n")
        }
        #expect(
            try await ask("profile", "use", "--", "positional@0", "3", "0", "broker-cli", "profile", "use", "")
                == ["here", "there"])
        // It takes a second at most, so as not to hold up whoever types: a machine that is busy may need longer.
        var channels: [Substring] = []
        for _ in 0..<60 where channels != ["/a/1", "/b"] {
            channels = try await ask(
                "subscribe", "--", "positional@0", "4", "0", "broker-cli", "--profile", "here", "subscribe", "")
        }
        #expect(channels == ["/a/1", "/b"])
        // Nobody is there to ask: nothing is completed, and nothing is said.
        #expect(
            try await ask(
                "subscribe", "--", "positional@0", "4", "0", "broker-cli", "--url", "http://127.0.0.1:1/", "subscribe",
                ""
            ).isEmpty)
        try await broker.stop()
    }

    @Test
    func eachCommandHasExamplesAndVariables() async throws {
        let dump = try await Program.run("broker-cli", "--experimental-dump-help")
        #expect(dump.status == 0)
        let root = try #require(try JSONSerialization.jsonObject(with: Data(dump.output.utf8)) as? [String: Any])
        let command = try #require(root["command"] as? [String: Any])
        var seen = 0
        func look(_ command: [String: Any], _ path: String) {
            let name = command["commandName"] as? String ?? ""
            guard name != "help" else { return }
            seen += 1
            let children = command["subcommands"] as? [[String: Any]] ?? []
            if children.isEmpty {
                let discussion = command["discussion"] as? String ?? ""
                #expect(discussion.contains("broker-cli "), "\(path) \(name) has no example")
            }
            for child in children { look(child, path + " " + name) }
        }
        look(command, "")
        #expect(seen > 15)
        let help = try await Program.run("broker-cli", "publish", "--help")
        for key in ["URL", "TOKEN", "TOKEN_FILE", "CA", "CERT", "KEY", "PROXY", "PROFILE"] {
            #expect(help.output.contains("$FANFARE_\(key)"))
        }
    }

    /// They stand in the help, from which the manual page is made, and in docs/cli.md.
    @Test
    func exitStatusesAreToldAlike() async throws {
        let dump = try await Program.run("broker-cli", "--experimental-dump-help")
        let root = try #require(try JSONSerialization.jsonObject(with: Data(dump.output.utf8)) as? [String: Any])
        let command = try #require(root["command"] as? [String: Any])
        let help = try #require(command["discussion"] as? String).split(separator: "\n")
        let start = try #require(help.firstIndex(of: "EXIT STATUS"))
        let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/cli.md")
        let lines = try String(contentsOf: page, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        let head = try #require(lines.firstIndex(of: "| status | meaning |"))
        let rows = lines[(head + 2)...].prefix { $0.hasPrefix("| ") }
        func words(_ line: Substring) -> String {
            line.filter { !"|`".contains($0) }.split(separator: " ").joined(separator: " ")
        }
        #expect(rows.count > 10)
        #expect(help[(start + 1)...].map(words) == rows.map(words))
    }

    @Test
    func cheatSheets() async throws {
        let all = try await Program.run("broker-cli", "cheat")
        #expect(all.status == 0)
        for topic in ["publish", "subscribe", "scripts", "profiles", "look"] {
            let one = try await Program.run("broker-cli", "cheat", topic)
            #expect(one.status == 0)
            #expect(one.output.hasPrefix("# \(topic)\n"))
            #expect(all.output.contains(one.output))
        }
        // What the sheets show has to be understood: each command line is one that there is.
        for line in all.output.split(separator: "\n") {
            guard let start = line.firstRange(of: "broker-cli ") else { continue }
            let words = line[start.upperBound...].split(separator: " ")
            let name = String(try #require(words.first))
            let help = try await Program.run("broker-cli", "help", name)
            #expect(help.status == 0, "\(line)")
            for flag in words where flag.hasPrefix("--") && flag.count > 2 {
                #expect(help.output.contains(flag) || name == "profile", "\(flag) in \(line)")
            }
        }
    }
}

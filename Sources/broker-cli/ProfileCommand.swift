import ArgumentParser
import Foundation

/// `broker-cli profile`: settings with a name.
struct ProfileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "profile", abstract: "List, show and choose profiles: settings with a name.",
        discussion: """
            Profiles lie in $XDG_CONFIG_HOME/fanfare/profiles.yaml (~/.config/fanfare/profiles.yaml), each with any of \
            the keys url, token, token-file, ca, cert, key, proxy and format:

              production:
                url: https://push.example.com/bayeux
                token-file: ~/.config/fanfare/production.token
              local:
                url: http://127.0.0.1:8000/bayeux
                format: pretty

            A file with a token has to be its owner's alone (chmod 600). The profile is --profile, else \
            $FANFARE_PROFILE, else what was chosen with profile use.
            """,
        subcommands: [List.self, Show.self, Use.self])

    @ParentCommand var root: BrokerCLI

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the names of the profiles, and mark the one in use.",
            discussion: "broker-cli profile list")
        @ParentCommand var parent: ProfileCommand

        func run() throws {
            try checked { () throws(CLIError) in
                let file = ProfileFile()
                let named = parent.root.connection.profile ?? ProcessInfo.processInfo.environment["FANFARE_PROFILE"]
                let selected = try file.selected()
                let current = named ?? selected
                for profile in try file.read() {
                    try Console.write(Array("\(profile.name == current ? "*" : " ") \(profile.name)\n".utf8))
                }
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a profile, or the settings that hold and where each comes from.",
            discussion: """
                broker-cli profile show production
                broker-cli profile show --effective
                """)
        @ParentCommand var parent: ProfileCommand
        @OptionGroup var connection: ConnectionOptions
        @Argument(
            help: "The profile (default: the one in use).", completion: .custom { _, _, _ in ProfileFile.names() })
        var name: String?
        @Flag(help: "What flags, environment and profile come to, and the source of each value.") var effective = false

        func run() throws {
            try checked { () throws(CLIError) in
                var connection = connection
                connection.profile = name ?? connection.profile
                let settings = try connection.settings(parent.root.connection)
                var text = ""
                if effective {
                    text += line("profile", settings.profile ?? "none")
                    for key in SettingKey.allCases {
                        guard let value = settings[key] else { continue }
                        text += line(key.rawValue, key.shown(value.text), value.source)
                    }
                } else {
                    let profile = try ProfileFile().read().first { $0.name == settings.profile }
                    guard let profile else { throw .missing("no profile is in use") }
                    for (key, value) in profile.values { text += line(key.rawValue, key.shown(value)) }
                }
                try Console.write(Array(text.utf8))
            }
        }

        private func line(_ name: String, _ value: String, _ source: String? = nil) -> String {
            let label = name.padding(toLength: 12, withPad: " ", startingAt: 0)
            return label + value + (source.map { "   (\($0))" } ?? "") + "\n"
        }
    }

    struct Use: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Choose the profile for what follows.",
            discussion: """
                broker-cli profile use production
                broker-cli profile use -          # the one before
                """)
        @Argument(
            help: "The profile, or - for the one before.", completion: .custom { _, _, _ in ProfileFile.names() })
        var name: String

        func run() throws {
            try checked { () throws(CLIError) in
                Console.say("the profile is \(try ProfileFile().select(name))")
            }
        }
    }
}

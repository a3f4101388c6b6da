import ArgumentParser
import BrokerCore
import FanfareClient
import Foundation

/// `broker-cli`: publishes to and subscribes at a broker.
@main
struct BrokerCLI: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "broker-cli",
        abstract: "Publish to and subscribe at a Fanfare broker.",
        discussion: """
            Messages go to standard output, one JSON document per line; everything else goes to standard error. A flag \
            wins over the environment, which wins over a profile (see broker-cli profile --help). Without --proxy a way \
            through a proxy is taken from http_proxy, https_proxy and no_proxy. broker-cli cheat shows what can be done.

            EXIT STATUS
              0         done
              1         bench was slower than --fail-under
              64        the command line, or a setting, is wrong
              65        a document is not JSON, or nested deeper than 62 levels; the broker found it or a channel invalid; there is none
              66        there is no such message; nobody serves that /service/NAME
              69        no broker could be reached, what answers is none, or the connection was lost
              70        the command of --exec failed
              73        a file or folder of our own cannot be made, or is in use; the outbox stayed full for the time of --retry
              74        reading or writing failed; a file that is named is not there, nor the folder of flush
              75        the broker could not take a message now, with --spool it is kept; ping found the broker not ready
              77        access was refused, by the broker, by who stands before it, or because others could read a secret
              124       the time was over before what was asked for had come
              130, 143  stopped by SIGINT, by SIGTERM; the second signal ends it at once
              141       the reader of the output has gone
            """,
        version: Fanfare.version,
        subcommands: [
            PublishCommand.self,
            SubscribeCommand.self,
            RequestCommand.self,
            HistoryCommand.self,
            RetainedCommand.self,
            ChannelsCommand.self,
            SessionsCommand.self,
            StatsCommand.self,
            FlushCommand.self,
            BenchCommand.self,
            DoctorCommand.self,
            PingCommand.self,
            ProfileCommand.self,
            CheatCommand.self,
            TokenCommand.self,
            CompletionsCommand.self,
        ])

    @OptionGroup var connection: ConnectionOptions

    /// A command that there is not is named, and the one that may be meant.
    static func main() async {
        if let word = CommandLine.arguments.dropFirst().first, !word.hasPrefix("-"), !names.contains(word) {
            let near = names.filter { distance(word, $0) <= max(1, $0.count / 3) }.min {
                distance(word, $0) < distance(word, $1)
            }
            let hint = near.map { "; did you mean '\($0)'?" } ?? "."
            exit(withError: ValidationError("There is no command '\(word)'\(hint)"))
        }
        await main(nil)
    }

    private static var names: [String] {
        configuration.subcommands.flatMap { [$0._commandName] + $0.configuration.aliases } + ["help"]
    }

    /// How many characters have to be put in, taken out or changed to make one of the other.
    private static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var row = Array(0...right.count)
        for (index, character) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let change = diagonal + (character == right[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(change, row[column] + 1, diagonal + 1)
            }
        }
        return row[right.count]
    }
}

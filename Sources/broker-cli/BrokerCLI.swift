import ArgumentParser
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
              0    done
              1    bench was slower than --fail-under
              64   the command line is wrong
              65   a document is not JSON, or the broker found a channel or message invalid
              66   there is no such message
              69   no broker could be reached, or the connection was lost
              70   the command of --exec failed
              73   a file or folder of our own cannot be made or is in use
              74   reading or writing failed
              75   the broker could not take a message now; with --spool it is kept
              77   the broker refused access
              124  the time was over before what was asked for had come
              130  stopped by SIGINT (141 the reader of our output has gone, 143 SIGTERM)
            """,
        version: "0.1.0",
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
            ProfileCommand.self,
            CheatCommand.self,
            CompletionsCommand.self,
        ])

    @OptionGroup var connection: ConnectionOptions
}

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
            wins over the environment. A way through a proxy is taken from http_proxy, https_proxy and no_proxy.

            EXIT STATUS
              0    done
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
            PublishCommand.self, SubscribeCommand.self, RequestCommand.self, HistoryCommand.self, RetainedCommand.self,
            FlushCommand.self, BenchCommand.self, DoctorCommand.self, CompletionsCommand.self,
        ])

    @OptionGroup var connection: ConnectionOptions
}

/// Which broker to talk to; understood before and behind the name of the command.
struct ConnectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The broker's endpoint (default: $FANFARE_URL, else http://127.0.0.1:8000/bayeux).", valueName: "url"))
    var url: String?
    @Option(help: ArgumentHelp("The credential (default: $FANFARE_TOKEN, which ps does not show).", valueName: "token"))
    var token: String?
    @Option(
        help: ArgumentHelp(
            "A PEM file of the authorities to trust instead of the system's (default: $FANFARE_CA).", valueName: "file")
    )
    var ca: String?

    /// What these options, those before the command's name, and the environment say together.
    func configuration(_ outer: ConnectionOptions) throws(CLIError) -> ClientConfiguration {
        let environment = ProcessInfo.processInfo.environment
        func value(_ flag: String?, _ name: String) -> String? {
            flag ?? environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        let text = value(url ?? outer.url, "FANFARE_URL") ?? "http://127.0.0.1:8000/bayeux"
        do {
            var configuration = ClientConfiguration(endpoint: try Endpoint(text))
            configuration.token = value(token ?? outer.token, "FANFARE_TOKEN")
            configuration.certificateAuthorityFile = value(ca ?? outer.ca, "FANFARE_CA")
            configuration.proxies = try ProxySettings(environment: environment)
            return configuration
        } catch {
            throw .usage("\(error)")
        }
    }
}

import ArgumentParser

/// `broker-cli`: publishes to and subscribes at a broker.
@main
struct BrokerCLI: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "broker-cli",
        abstract: "Publish to and subscribe at a Fanfare broker.",
        discussion: """
            Messages go to standard output, one JSON document per line; everything else goes to standard error.

            EXIT STATUS
              0    done
              64   the command line is wrong
              65   a document is not JSON, or the broker found a channel or message invalid
              69   no broker could be reached, or the connection was lost
              75   the broker could not take a message now
              77   the broker refused access
            """,
        version: "0.1.0",
        subcommands: [PublishCommand.self, SubscribeCommand.self])

    @OptionGroup var connection: ConnectionOptions
}

/// Which broker to talk to; understood before and behind the name of the command.
struct ConnectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The broker's endpoint (default: $FANFARE_URL, else http://127.0.0.1:8000/bayeux).", valueName: "url"))
    var url: String?
}

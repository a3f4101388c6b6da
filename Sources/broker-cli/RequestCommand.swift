import ArgumentParser
import FanfareClient

/// `broker-cli request`: asks a service of the broker.
struct RequestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "request", abstract: "Send a document to a service, and print its answer.",
        discussion: "broker-cli request /service/time '{}'", aliases: ["req"])

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The service, such as /service/time.") var channel: String
    @Argument(help: "A JSON document, or @FILE.") var document: String
    @Option(help: ArgumentHelp("Wait so long for the answer.", valueName: "seconds")) var timeout = 5.0

    func validate() throws {
        if !(timeout > 0 && timeout <= 1e9) { throw ValidationError("--timeout is a number of seconds above 0.") }
        if document == "-" { throw ValidationError("A request takes a document or @FILE.") }
    }

    func run() async throws {
        var configuration = try checked { () throws(CLIError) in try connection.configuration(root.connection) }
        // The time of `--timeout` is the only one.
        configuration.answerTimeout = nil
        let settings = configuration
        try await broker_cli.run("request", settings) {
            guard channel.hasPrefix("/service/") else {
                throw CLIError.data("\(channel) is no service: its name begins with /service/")
            }
            guard case .one(let bytes, let name) = try Documents(argument: document) else { return }
            let data = try Documents.json(bytes[...], name: name, isRaw: false)
            let client = try BayeuxClient(settings)
            let cause = StopCause()
            let timer = Task { [timeout] in
                try await Task.sleep(for: .seconds(timeout))
                cause.set(.timeIsOver)
                await client.abandon()
            }
            defer { timer.cancel() }
            do {
                try await client.connect()
                let answer = try await client.request(channel, data)
                // A service answers with a document; without one the broker acknowledges the message, and that is all.
                guard !answer.data.isEmpty else { throw CLIError.missing("nobody serves \(channel)") }
                try Console.write(answer.data + [10])
            } catch {
                await client.close()
                if cause.stop != nil { throw CLIError.timeout("\(channel) has not answered in time") }
                throw error
            }
            await client.close()
        }
    }
}

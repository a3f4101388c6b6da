import ArgumentParser
import FanfareClient

/// `broker-cli ping`: whether clients should come to the broker.
struct PingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ping", abstract: "Ask whether the broker is ready: status 0 if it is.",
        discussion: """
            broker-cli ping
            broker-cli ping --timeout 2 || echo 'not ready'

            For checks that are made again and again, such as a container's. It says nothing when all is well; doctor \
            tries everything, and says more.
            """)

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions
    @Option(help: ArgumentHelp("Wait so long for the answer.", valueName: "seconds")) var timeout = 5.0

    func validate() throws {
        if !(timeout >= 0.1 && timeout <= 1e6) {
            throw ValidationError("--timeout is a number of seconds, 0.1 or more.")
        }
    }

    func run() async throws {
        let configuration = try checked { () throws(CLIError) in try connection.configuration(root.connection) }
        try await broker_cli.run("ping", configuration) {
            let http = try HTTPConnection(configuration)
            let answer = try await http.send("GET", "/health/ready", timeout: .seconds(timeout))
            await http.close()
            guard answer.status != 200 else { return }
            let reasons = JSONText(answer.body).raw("reasons").map { String(decoding: $0, as: UTF8.self) } ?? ""
            throw CLIError.later("the broker is not ready: \(answer.status) \(reasons)")
        }
    }
}

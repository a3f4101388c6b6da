import ArgumentParser
import FanfareClient
import Foundation

/// `broker-cli doctor`: what works between here and the broker, and what does not.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check, step by step, what works between here and the broker.",
        discussion: """
            broker-cli doctor
            broker-cli doctor --url https://push.example.com/bayeux --origin https://www.example.com

            Each transport is tried, with a message that is published and comes; so are TLS, the way through a proxy, \
            whether pages of an origin are let in, and the clock. For what does not work, the line below says what to do. \
            The status is that of the first step that failed; a warning is no failure.
            """)

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions
    @Option(
        help: ArgumentHelp(
            "The origin of the pages that are to be let in (default: that of the broker itself).", valueName: "origin"))
    var origin: String?
    @Flag(help: "Print a JSON document for each step.") var json = false

    func run() async throws {
        let configuration = try checked { () throws(CLIError) in try connection.configuration(root.connection) }
        try await broker_cli.run("doctor", configuration) {
            var doctor = Doctor(configuration: configuration, origin: origin, printsJSON: json)
            try await doctor.examine()
        }
    }
}

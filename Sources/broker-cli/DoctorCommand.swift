import ArgumentParser
import BrokerCore
import FanfareClient
import Foundation

/// `broker-cli doctor`: what works between here and the broker, and what does not.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check, step by step, that the broker can be reached and delivers.")

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let configuration = try checked { () throws(CLIError) in try connection.configuration(root.connection) }
        try await broker_cli.run("doctor", configuration) {
            try Console.write(Array("endpoint   \(configuration.endpoint)\n".utf8))
            let http = try HTTPConnection(configuration)
            try await step("ready", configuration) {
                let answer = try await http.send("GET", "/health/ready", timeout: .seconds(5))
                guard answer.status == 200 else { throw CLIError(answer, "not ready") }
            }
            await http.close()
            let client = try BayeuxClient(configuration)
            let channel = "/fanfare/doctor/\(UUID().uuidString.lowercased())"
            do {
                try await step("session", configuration) { try await client.connect() }
                try await step("delivery", configuration) {
                    let timer = Task {
                        try await Task.sleep(for: .seconds(10))
                        await client.abandon()
                    }
                    defer { timer.cancel() }
                    let messages = try await client.subscribe(to: channel)
                    try await client.publish("0", to: channel)
                    for try await _ in messages { return }
                    throw CLIError.timeout("a message that was published has not come")
                }
            } catch {
                await client.close()
                throw error
            }
            await client.close()
        }
    }

    private func step(_ name: String, _ configuration: ClientConfiguration, _ work: () async throws -> Void)
        async throws
    {
        let label = name.padding(toLength: 11, withPad: " ", startingAt: 0)
        let start = ContinuousClock.now
        do {
            try await work()
        } catch {
            try Console.write(Array("\(label)failed\n".utf8))
            throw error
        }
        let milliseconds = Int((ContinuousClock.now - start) / .milliseconds(1))
        try Console.write(Array("\(label)ok (\(milliseconds) ms)\n".utf8))
    }
}

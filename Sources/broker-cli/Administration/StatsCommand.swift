import ArgumentParser
import FanfareClient

/// `broker-cli stats`: what the broker holds and does.
struct StatsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Print what the broker holds and what has gone through it.",
        discussion: """
            broker-cli stats
            broker-cli stats --every 5 --count 12

            One JSON object per line, with published_per_second and delivered_per_second from the second one on. For \
            the administrator, as broker-cli channels --help says.
            """)

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions
    @Option(help: ArgumentHelp("Print it again and again, each time after so long.", valueName: "seconds"))
    var every: Double?
    @Option(help: ArgumentHelp("End after so many lines.", valueName: "n")) var count: Int?

    func validate() throws {
        if let every, !(every >= 0.1 && every <= 1e6) {
            throw ValidationError("--every is a number of seconds, 0.1 or more.")
        }
        if let count, count < 1 { throw ValidationError("--count is a number above 0.") }
        if count != nil, every == nil { throw ValidationError("--count goes with --every.") }
    }

    func run() async throws {
        let configuration = try checked { () throws(CLIError) in try connection.configuration(root.connection) }
        try await broker_cli.run("stats", configuration) {
            let admin = try AdminClient(configuration)
            var last: JSONText?
            for number in 1...(every == nil ? 1 : count ?? .max) {
                if let every, number > 1 { try await Task.sleep(for: .seconds(every)) }
                let answer = try await admin.object("GET", "/stats")
                let now = JSONText(answer)
                try print(answer, now, since: last)
                last = now
            }
            await admin.close()
        }
    }

    private func print(_ answer: [UInt8], _ now: JSONText, since last: JSONText?) throws(CLIError) {
        var members = now.members.map { ($0, String(decoding: $1, as: UTF8.self)) }
        if let last {
            let seconds = max((now.double("uptime_seconds") ?? 0) - (last.double("uptime_seconds") ?? 0), 0.001)
            for name in ["published", "delivered"] {
                let rate = Double((now.integer(name) ?? 0) - (last.integer(name) ?? 0)) / seconds
                members.append(("\(name)_per_second", "\((rate * 10).rounded() / 10)"))
            }
        }
        let output: String
        if Console.outputIsTerminal {
            let width = members.map(\.0.count).max() ?? 0
            output =
                members.map { $0 + String(repeating: " ", count: width - $0.count) + "  " + $1 + "\n" }.joined()
                + (every == nil ? "" : "\n")
        } else {
            output = "{" + members.map { "\"\($0)\":\($1)" }.joined(separator: ",") + "}\n"
        }
        try Console.write(Array(output.utf8))
    }
}

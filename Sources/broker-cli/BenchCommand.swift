import ArgumentParser
import BrokerCore
import FanfareClient
import Foundation

/// `broker-cli bench`: how fast this broker is, from here.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Publish and receive, and print rates and times.",
        discussion: """
            broker-cli bench
            broker-cli bench --count 100000 --size 100 --size 1000 --publishers 4 --subscribers 10
            broker-cli bench --rate 5000 --duration 30
            broker-cli bench --json --fail-under 20000

            Without --rate as many documents are published as go with the window. With --rate each has its time, and what \
            is measured begins then, also when the broker or this program was too slow to take it ("coordinated \
            omission"): the times are those that a user would see at that rate.
            """)

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions
    @Option(help: "The channel; a part of its own is added.") var channel = "/fanfare/bench"
    @Option(
        help: ArgumentHelp(
            "Documents to publish (default: 10000, or what --rate and --duration come to).", valueName: "n"))
    var count: Int?
    @Option(parsing: .singleValue, help: "Bytes of a document; may be repeated, for one measurement each.")
    var size: [Int] = [100]
    @Option(help: "Clients that publish.") var publishers = 1
    @Option(help: "Clients that subscribe.") var subscribers = 1
    @Option(help: ArgumentHelp("Documents in a second, of all publishers.", valueName: "n")) var rate: Double?
    @Option(help: ArgumentHelp("Stop publishing after this time.", valueName: "seconds")) var duration: Double?
    @Option(help: "Acknowledgements of a publisher that may be missing at a time, unless there is a rate.")
    var window = 128
    @Flag(help: "Print a JSON document for each size.") var json = false
    @Flag(help: "Print comma-separated values, with a head.") var csv = false
    @Flag(help: "Show no progress.") var noProgress = false
    @Option(
        help: ArgumentHelp(
            "End with status 1 when fewer messages were delivered (without subscribers: published) in a second.",
            valueName: "n"))
    var failUnder: Double?

    func validate() throws {
        if let count, !(1...100_000_000 ~= count) { throw ValidationError("--count is a number from 1 to 100000000.") }
        if size.contains(where: { !(24...1_000_000 ~= $0) }) {
            throw ValidationError("--size is a number from 24 to 1000000.")
        }
        if !(1...1_000 ~= publishers) { throw ValidationError("--publishers is a number from 1 to 1000.") }
        if !(0...10_000 ~= subscribers) { throw ValidationError("--subscribers is a number from 0 to 10000.") }
        if let rate, !(rate > 0 && rate <= 1e7) { throw ValidationError("--rate is a number above 0.") }
        if let duration, !(duration > 0 && duration <= 1e6) {
            throw ValidationError("--duration is a number of seconds above 0.")
        }
        if !(1...1024 ~= window) { throw ValidationError("--window is a number from 1 to 1024.") }
        if json, csv { throw ValidationError("--json and --csv exclude each other.") }
    }

    private func plan(_ size: Int) -> BenchRun.Plan {
        let planned = duration.map { duration in rate.map { Int(($0 * duration).rounded(.up)) } ?? 100_000_000 }
        return BenchRun.Plan(
            channel: "\(channel)/\(UUID().uuidString.lowercased())", publisherCount: publishers,
            subscriberCount: subscribers, size: size, count: count ?? planned ?? 10_000, rate: rate,
            duration: duration, window: window)
    }

    func run() async throws {
        var configuration = try checked { () throws(CLIError) in try connection.configuration(root.connection) }
        // With a rate nothing waits for a window: that would hide how long it takes.
        configuration.window = rate == nil ? window : .max
        configuration.maximumOutage = .zero
        let settings = configuration
        try await broker_cli.run("bench", settings) {
            try CLIError.checkChannel(channel, mayBePattern: false)
            var slowest = Double.infinity
            for (number, size) in size.enumerated() {
                let plan = plan(size)
                tell(plan, settings)
                let run = BenchRun(plan: plan, configuration: settings)
                let progress = noProgress ? nil : watch(run)
                defer { progress?.cancel() }
                let report = BenchReport(plan: plan, outcome: try await run.run())
                progress?.cancel()
                Console.clearProgress()
                try print(report, isFirst: number == 0)
                slowest = min(slowest, subscribers > 0 ? report.deliveredPerSecond : report.publishedPerSecond)
            }
            if let failUnder, slowest < failUnder {
                throw CLIError.tooSlow("\(Quantity.rate(slowest)) are fewer than \(Quantity.rate(failUnder))")
            }
        }
    }

    /// Everything that the numbers depend on.
    private func tell(_ plan: BenchRun.Plan, _ settings: ClientConfiguration) {
        let what = duration != nil && count == nil && rate == nil ? "documents" : "\(plan.count) documents"
        let pace = rate.map { "at \(Quantity.rate($0))" } ?? "window \(window)"
        let time = duration.map { ", for \(Quantity.seconds($0))" } ?? ""
        Console.say(
            "\(what) of \(plan.size) bytes, \(pace)\(time), \(Quantity.count(publishers, "publisher")), "
                + "\(Quantity.count(subscribers, "subscriber")), "
                + "\(settings.endpoint)")
    }

    private func watch(_ run: BenchRun) -> Task<Void, any Error>? {
        guard Console.errorIsTerminal else { return nil }
        return Task {
            while true {
                try await Task.sleep(for: .milliseconds(250))
                Console.showProgress("\(run.published.current) published, \(run.delivered.current) delivered")
            }
        }
    }

    private func print(_ report: BenchReport, isFirst: Bool) throws {
        let text =
            json
            ? report.json
            : csv ? (isFirst ? report.csvHead : "") + report.csv : (isFirst ? "" : "\n") + report.table
        try Console.write(Array(text.utf8))
    }
}

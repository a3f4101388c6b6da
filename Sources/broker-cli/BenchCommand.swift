import ArgumentParser
import BrokerCore
import FanfareClient
import Foundation

/// `broker-cli bench`: how fast this broker is, from here.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Publish and receive as fast as it goes, and print rates and times.",
        discussion: "broker-cli bench --count 100000 --size 100 --subscribers 10")

    @ParentCommand var root: BrokerCLI
    @OptionGroup var connection: ConnectionOptions
    @Option(help: "The channel; a part of its own is added.") var channel = "/fanfare/bench"
    @Option(help: "Documents to publish.") var count = 10_000
    @Option(help: "Bytes of a document.") var size = 100
    @Option(help: "Clients that subscribe.") var subscribers = 1
    @Option(help: "Acknowledgements that may be missing at a time.") var window = 128

    func validate() throws {
        if !(1...10_000_000 ~= count) { throw ValidationError("--count is a number from 1 to 10000000.") }
        if !(2...1_000_000 ~= size) { throw ValidationError("--size is a number from 2 to 1000000.") }
        if !(0...1_000 ~= subscribers) { throw ValidationError("--subscribers is a number from 0 to 1000.") }
        if !(1...1024 ~= window) { throw ValidationError("--window is a number from 1 to 1024.") }
    }

    func run() async throws {
        var configuration = try checked { () throws(CLIError) in try connection.configuration(root.connection) }
        configuration.window = window
        configuration.maximumOutage = .zero
        let settings = configuration
        try await broker_cli.run("bench", settings) {
            try CLIError.checkChannel(channel, mayBePattern: false)
            let name = "\(channel)/\(UUID().uuidString.lowercased())"
            Console.say(
                "\(count) documents of \(size) bytes, \(subscribers) subscribers, window \(window), \(settings.endpoint)"
            )
            var readers: [Task<Void, any Error>] = []
            let (count, size, window) = (count, size, window)
            for _ in 0..<subscribers {
                let client = try BayeuxClient(settings)
                try await client.connect()
                let messages = try await client.subscribe(to: name)
                readers.append(
                    Task {
                        var left = count
                        while left > 0, let batch = try await messages.nextBatch() { left -= batch.count }
                        await client.close()
                    })
            }
            let client = try BayeuxClient(settings)
            try await client.connect()
            let document =
                [UInt8(ascii: "\"")] + [UInt8](repeating: UInt8(ascii: "x"), count: size - 2) + [UInt8(ascii: "\"")]
            let start = ContinuousClock.now
            var times: [Duration] = []
            var left = count
            while left > 0 {
                let batch = min(left, max(window / 2, 1))
                let begin = ContinuousClock.now
                let publications = (0..<batch).map { _ in Publication(document, to: name) }
                for outcome in try await client.enqueue(publications).outcomes() { try outcome.get() }
                times.append(ContinuousClock.now - begin)
                left -= batch
            }
            let published = ContinuousClock.now - start
            for reader in readers { try await reader.value }
            let delivered = ContinuousClock.now - start
            await client.close()
            times.sort()
            func seconds(_ duration: Duration) -> Double { duration / .seconds(1) }
            func percentile(_ part: Double) -> Double {
                seconds(times[min(Int(Double(times.count) * part), times.count - 1)])
            }
            let numbers: [(String, Double)] = [
                ("published_per_second", Double(count) / seconds(published)),
                ("delivered_per_second", Double(count * subscribers) / seconds(delivered)),
                ("batch_seconds_p50", percentile(0.5)), ("batch_seconds_p99", percentile(0.99)),
                ("batch_seconds_max", percentile(1)),
            ]
            let text = numbers.map { #""\#($0)":\#($1)"# }.joined(separator: ",")
            try Console.write(Array("{\(text)}\n".utf8))
        }
    }
}

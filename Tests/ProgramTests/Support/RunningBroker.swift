import Foundation
import Testing

/// A `broker-server` that is ready, on a free port.
final class RunningBroker {
    let program: Program
    /// What it said when it was ready.
    let banner: [String]
    let port: Int

    var url: String { "http://127.0.0.1:\(port)" }
    var endpoint: String { url + "/bayeux" }

    /// Starts a broker and waits until it is ready.
    convenience init(_ arguments: String..., environment: [String: String] = [:]) async throws {
        try await self.init(port: 0, arguments, environment: environment)
    }

    /// Starts a broker on a port, 0 for a free one.
    init(port wanted: Int, _ arguments: [String], environment: [String: String] = [:]) async throws {
        program = try Program(
            "broker-server", ["--listen", "127.0.0.1:\(wanted)"] + arguments, environment: environment)
        var banner: [String] = []
        repeat { banner.append(try await program.line()) } while !banner[banner.count - 1].contains("open to")
        self.banner = banner
        let page = banner.first { $0.contains("  page ") }?.dropLast()
        port = try #require(page?.split(separator: ":").last.flatMap { Int($0) })
    }

    /// A port for a broker that is stopped and started again: outside of those that systems give to others meanwhile.
    static func portToKeep() -> Int { Int.random(in: 20_000..<32_000) }

    /// Runs `broker-cli` against this broker.
    func cli(_ arguments: String..., input: Program.Input = .nothing) async throws -> Ending {
        try await Program("broker-cli", ["--url", endpoint] + arguments, input: input).end()
    }

    /// Starts `broker-cli subscribe` and waits until it gets messages: those published to `/ready` until then.
    func subscriber(to channel: String, count: Int? = nil, options: [String] = []) async throws -> Program {
        let ready = "/ready/\(UUID().uuidString.lowercased())"
        // A retained message tells that the subscription stands.
        #expect(try await cli("publish", ready, "0", "--retain").status == 0)
        let limit = count.map { ["--count", String($0 + 1)] } ?? []
        let program = try Program("broker-cli", ["--url", endpoint, "subscribe", channel, ready] + limit + options)
        let first = try await program.line()
        guard first.contains(ready) else { throw Missing("the first message, not \(first)") }
        return program
    }

    /// Asks it to stop, and waits for it.
    @discardableResult
    func stop(_ signal: Int32 = SIGTERM) async throws -> Ending {
        program.send(signal: signal)
        return try await program.end()
    }
}

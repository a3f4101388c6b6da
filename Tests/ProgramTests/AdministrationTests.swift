import Foundation
import Testing

/// What `broker-cli` shows the administrator of a live broker: all of the output, and the exit status.
@Suite(.timeLimit(.minutes(10)))
struct AdministrationTests {
    @Test
    func channels() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        #expect(try await broker.cli("channels") == Ending(status: 0, output: "", errors: ""))
        let subscriber = try await broker.subscriber(to: "/chat/*")
        let chat = #"{"channel":"/chat/*","subscribers":1}"# + "\n"
        #expect(try await broker.cli("channels", "/chat/**") == Ending(status: 0, output: chat, errors: ""))
        let all = try await broker.cli("channels")
        #expect(all.output.contains(chat))
        #expect(try await broker.cli("channels", "/none/**") == Ending(status: 0, output: "", errors: ""))
        let wrong = try await broker.cli("channels", "chat")
        #expect(wrong.status == 65)
        #expect(wrong.output == "")
        subscriber.send(signal: SIGTERM)
        _ = try await subscriber.end()
        try await broker.stop()
    }

    @Test
    func sessions() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        #expect(try await broker.cli("sessions") == Ending(status: 0, output: "", errors: ""))
        let subscriber = try await broker.subscriber(to: "/chat/*")
        let list = try await broker.cli("sessions", "list")
        #expect(list.status == 0)
        let id = try #require(list.output.split(separator: "\"").dropFirst(3).first).description
        #expect(list.output.hasPrefix(#"{"id":"\#(id)","state":"connected","stream":false,"subscription_count":2,"#))
        #expect(id.count == 8)
        let shown = try await broker.cli("sessions", "show", id)
        #expect(shown.status == 0)
        #expect(shown.output.contains(#""subscriptions":["/chat/*","/ready/"#))
        #expect(
            try await broker.cli("sessions", "kick", id)
                == Ending(status: 0, output: "{\"kicked\":\"\(id)\"}\n", errors: ""))
        // Who was kicked does not come back.
        let ending = try await subscriber.end()
        #expect(ending.status == 77)
        #expect(ending.errors.contains("the broker ended the session: 410:"))
        #expect(ending.errors.hasSuffix(":Ended by the administrator\n"))
        #expect(
            try await broker.cli("sessions", "show", id)
                == Ending(
                    status: 66, output: "",
                    errors: "broker-cli: /sessions/\(id): the broker answered 404: There is no session \(id)\n"))
        // Why it ended is remembered, and nothing more of its id than that.
        let why = try await broker.cli("sessions", "why", id)
        #expect(why.status == 0)
        #expect(why.output.hasPrefix(#"{"id":"\#(id)","reason":"kicked","started_at":""#))
        #expect(why.output.contains(#""transport":"websocket","address":"loopback","connection_lost":null,"#))
        #expect(try await broker.cli("sessions", "why", "--limit", "1") == why)
        let unknown = try await broker.cli("sessions", "why", "zzzzzzzz")
        #expect(unknown.status == 66)
        #expect(unknown.errors.hasSuffix("the last 1000 that ended since the broker was started are remembered\n"))
        try await broker.stop()
    }

    @Test
    func whyLimits() async throws {
        let ending = try await Program("broker-cli", ["sessions", "why", "--limit", "0"]).end()
        #expect(ending.status == 64)
        #expect(ending.errors.hasPrefix("Error: --limit is a number from 1 to 1000."))
    }

    @Test(arguments: ["short", "UPPERCASE", "a/../../stats"])
    func wrongTags(tag: String) async throws {
        let ending = try await Program("broker-cli", ["sessions", "show", tag]).end()
        #expect(ending.status == 64)
        #expect(ending.errors.contains("A session is named by 8 or more of the characters 0-9 and a-z."))
    }

    private struct Statistics: Decodable {
        let version: String
        let sessions: Int
        let channels: Int
        let published: Int
        let delivered: Int
        let last_seq: Int
        let delivered_per_second: Double?
    }

    @Test
    func statistics() async throws {
        let broker = try await RunningBroker("--database", ":memory:")
        let subscriber = try await broker.subscriber(to: "/chat/*")
        #expect(try await broker.cli("publish", "/chat/a", "1").status == 0)
        let ending = try await broker.cli("stats", "--every", "0.1", "--count", "2")
        #expect(ending.status == 0)
        #expect(ending.errors == "")
        let lines = try ending.output.split(separator: "\n").map {
            try JSONDecoder().decode(Statistics.self, from: Data($0.utf8))
        }
        #expect(lines.count == 2)
        #expect(lines.map(\.delivered_per_second) == [nil, 0])
        for line in lines {
            #expect(line.version == "0.1.0")
            #expect(line.sessions == 1)
            #expect(line.channels == 2)
            // Two publications: the one that was retained for the subscriber to be ready, and ours.
            #expect(line.published == 2)
            #expect(line.last_seq == 1)
            #expect(line.delivered == 1)
        }
        subscriber.send(signal: SIGTERM)
        _ = try await subscriber.end()
        try await broker.stop()
    }

    @Test
    func usage() async throws {
        let ending = try await Program("broker-cli", ["stats", "--count", "2"]).end()
        #expect(ending.status == 64)
        #expect(ending.errors.hasPrefix("Error: --count goes with --every."))
    }
}

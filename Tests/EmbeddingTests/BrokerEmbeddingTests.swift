import Broker
import Logging
import Support
import Synchronization
import Testing

/// Extensions, services, observers and clients of a program that embeds the broker.
@Suite("A broker in another program", .timeLimit(.minutes(10)))
struct BrokerEmbeddingTests {
    private struct Rules: BrokerExtension {
        func incoming(_ message: inout BayeuxMessage, from sender: MessageSender) -> IncomingVerdict {
            switch message.channel {
            case "/refused": return .refuse("403:/refused:No")
            case "/dropped": return .drop
            case "/changed":
                message.data = Array(#"{"by":"\#(sender.transport.rawValue)"}"#.utf8)
                return .accept
            case "/broken":
                message.data = Array("{".utf8)
                return .accept
            default: return .accept
            }
        }

        func outgoing(_ message: inout BayeuxMessage) -> Bool {
            if message.channel == "/hidden", message.data != nil { return false }
            if message.channel == "/stamped", message.data != nil { message[json: "stamp"] = Array("1".utf8) }
            return true
        }
    }

    /// Runs a broker for the time of `body`.
    private static func withBroker(
        options: Broker.Options = .init(port: 0), _ prepare: (Broker) -> Void = { _ in },
        _ body: @escaping @Sendable (Broker, Int) async throws -> Void
    ) async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let broker = Broker(options, logger: logger)
        prepare(broker)
        let (ports, ready) = AsyncStream.makeStream(of: Int.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await broker.run { ready.yield($0) } }
            for await port in ports {
                try await body(broker, port)
                break
            }
            group.cancelAll()
        }
    }

    private static func json(_ bytes: [UInt8]?) throws -> JSON { try JSON(parsing: bytes ?? Array("null".utf8)) }

    @Test("A client publishes to another one")
    func publish() async throws {
        try await Self.withBroker { broker, _ in
            let (subscriber, publisher) = (try await broker.client(), try await broker.client())
            var messages = try await subscriber.subscribe(to: "/a/*").makeAsyncIterator()
            for number in 0..<100 { try await publisher.publish(Array("\(number)".utf8), to: "/a/b") }
            for number in 0..<100 {
                let message = await messages.next()
                #expect(message?.channel == "/a/b")
                #expect(message?.data == Array("\(number)".utf8))
            }
        }
    }

    @Test("Retained messages come first")
    func retained() async throws {
        try await Self.withBroker { broker, _ in
            let client = try await broker.client()
            try await client.publish(Array("1".utf8), to: "/a", retain: true)
            var messages = try await client.subscribe(to: "/a").makeAsyncIterator()
            #expect(try Self.json(await messages.next()?.json)["ext"]?["retained"] == true)
        }
    }

    @Test("Channels are kept as their policies say")
    func policies() async throws {
        let channels: [String: Broker.Policy] = ["/log/**": .init(history: 10), "/state/*": .init(retain: true)]
        try await Self.withBroker(options: .init(port: 0, channels: channels)) { broker, _ in
            let client = try await broker.client()
            for (channel, number) in [("/plain", nil), ("/log/a/b", 1), ("/state/a", 2)] as [(String, JSON?)] {
                var messages = try await client.subscribe(to: channel).makeAsyncIterator()
                try await client.publish(Array("1".utf8), to: channel)
                #expect(try Self.json(await messages.next()?.json)["ext"]?["seq"] == number, "\(channel)")
            }
            let late = try await broker.client()
            var messages = try await late.subscribe(to: "/state/*").makeAsyncIterator()
            #expect(try Self.json(await messages.next()?.json)["ext"]?["retained"] == true)
        }
    }

    @Test("A policy of what is no channel is an error", arguments: ["log", "/log//a", "/meta/*", "/service/a"])
    func policyOfNoChannel(text: String) async throws {
        let broker = Broker(.init(port: 0, channels: [text: .init(history: 1)]))
        let error = await #expect(throws: BrokerOptionError.self) { try await broker.run() }
        #expect(error?.description == "channels: \(text) is no channel or pattern of clients")
    }

    @Test("Extensions refuse, drop and change what comes in; what they break is refused")
    func incoming() async throws {
        try await Self.withBroker {
            $0.add(Rules())
        } _: { broker, _ in
            let client = try await broker.client()
            var messages = try await client.subscribe(to: "/changed").makeAsyncIterator()
            await #expect(throws: InProcessClientError.refused("403:/refused:No")) {
                try await client.publish(Array("1".utf8), to: "/refused")
            }
            await #expect(throws: InProcessClientError.refused("404::message_deleted")) {
                try await client.publish(Array("1".utf8), to: "/dropped")
            }
            await #expect(throws: InProcessClientError.self) {
                try await client.publish(Array("1".utf8), to: "/broken")
            }
            try await client.publish(Array("1".utf8), to: "/changed")
            #expect(try Self.json(await messages.next()?.data) == ["by": "in-process"])
        }
    }

    @Test("Extensions drop and change what goes out")
    func outgoing() async throws {
        try await Self.withBroker {
            $0.add(Rules())
        } _: { broker, _ in
            let client = try await broker.client()
            var messages = try await client.subscribe(to: "/**").makeAsyncIterator()
            try await client.publish(Array("1".utf8), to: "/hidden")
            try await client.publish(Array("2".utf8), to: "/stamped")
            #expect(
                try Self.json(await messages.next()?.json) == ["channel": "/stamped", "data": 2, "stamp": 1])
        }
    }

    @Test("Those who watch are told of everything, in order")
    func observers() async throws {
        let (events, told) = AsyncStream.makeStream(of: MonitoringEvent.self)
        try await Self.withBroker {
            $0.observe { told.yield($0) }
        } _: { broker, _ in
            let client = try await broker.client()
            _ = try await client.subscribe(to: "/a")
            try await client.publish(Array("1".utf8), to: "/a")
            await client.disconnect()
            var iterator = events.makeAsyncIterator()
            guard case .handshake(let id)? = await iterator.next() else { return #expect(Bool(false)) }
            #expect(await iterator.next() == .subscribe(clientID: id, channel: "/a"))
            var rest: [MonitoringEvent] = []
            while rest.last != .disconnect(clientID: id), let event = await iterator.next() { rest.append(event) }
            #expect(rest.contains(.publish(clientID: id, channel: "/a", data: Array("1".utf8))))
            #expect(rest.contains(.unsubscribe(clientID: id, channel: "/a")))
        }
    }

    @Test("Who does not read has a bounded number of messages wait; then it gets them, and is told what it misses")
    func slowReader() async throws {
        try await Self.withBroker { broker, _ in
            let (subscriber, publisher) = (try await broker.client(), try await broker.client())
            let messages = try await subscriber.subscribe(to: "/a/*")
            let (count, text) = (1_000, String(repeating: "x", count: 10_000))
            for number in 0..<count {
                try await publisher.publish(Array(#"{"number":\#(number),"text":"\#(text)"}"#.utf8), to: "/a/b")
            }
            var (received, missed, last) = (0.0, 0.0, -1.0)
            // Those behind them have waited with the session, and the oldest there have made room.
            var bytesBeforeGap = 0
            for await message in messages {
                let json = try Self.json(message.json)
                if case .number(let gap)? = json["ext"]?["gap"]?["count"] { missed += gap }
                if missed == 0 { bytesBeforeGap += message.json.count }
                guard case .number(let number)? = json["data"]?["number"] else { continue }
                #expect(number > last)
                (received, last) = (received + 1, number)
                if number == Double(count - 1) { break }
            }
            #expect(missed > 0)
            #expect(received + missed == Double(count))
            // One that is on its way when the router is told comes, too; and one counts twice on its way to the subscription.
            let bound = 1 << 20
            #expect((bound - 20_000..<bound + 50_000).contains(bytesBeforeGap))
        }
    }

    @Test("A subscription that has ended with messages in it holds up no other one")
    func endedSubscription() async throws {
        try await Self.withBroker { broker, _ in
            let (subscriber, publisher) = (try await broker.client(), try await broker.client())
            let text = Array(#""\#(String(repeating: "x", count: 600_000))""#.utf8)
            var unread: ReceivedMessages? = try await subscriber.subscribe(to: "/a")
            var messages = try await subscriber.subscribe(to: "/b").makeAsyncIterator()
            for _ in 0..<2 { try await publisher.publish(text, to: "/a") }
            try await publisher.publish(Array("1".utf8), to: "/b")
            #expect(unread != nil)
            unread = nil
            #expect(await messages.next()?.data == Array("1".utf8))
        }
    }

    @Test("A client that is gone harms nobody who came after it")
    func gone() async throws {
        try await Self.withBroker { broker, _ in
            var gone: InProcessClient? = try await broker.client()
            await gone?.disconnect()
            let client = try await broker.client()
            var messages = try await client.subscribe(to: "/a").makeAsyncIterator()
            gone = nil
            try await client.publish(Array("1".utf8), to: "/a")
            #expect(await messages.next()?.data == Array("1".utf8))
        }
    }

    @Test("The broker's end ends its clients")
    func end() async throws {
        let kept = Mutex<InProcessClient?>(nil)
        try await Self.withBroker { broker, _ in
            let client = try await broker.client()
            kept.withLock { $0 = client }
        }
        let client = try #require(kept.withLock { $0 })
        await #expect(throws: InProcessClientError.self) { try await client.publish(Array("1".utf8), to: "/a") }
    }
}

import BrokerFront
import Testing

/// What `/metrics` tells of those who are slow: clients, and the store. (Endings, gaps, descriptors: test_metrics.py.)
@Suite("Numbers that rise and fall", .timeLimit(.minutes(10)))
struct GaugeTests {
    @Test("A ping and its pong are timed")
    func pongs() async throws {
        try await TestBroker.run {
            $0.metrics = .all
            $0.pingInterval = .milliseconds(50)
        } _: { broker in
            let watcher = try await broker.connect()
            let webSocket = try await TestWebSocket.open(at: broker)
            var numbers = try await broker.metrics(over: watcher)
            while numbers["fanfare_pong_rtt_seconds_count"] == 0 { numbers = try await broker.metrics(over: watcher) }
            #expect(try #require(numbers["fanfare_pong_rtt_seconds_count"]) >= 1)
            #expect(try #require(numbers["fanfare_pong_rtt_seconds_sum"]) > 0)
            try await webSocket.close()
        }
    }

    @Test("One that does not read is a slow consumer, for which bytes wait, until it reads", arguments: [1, 2])
    func slowConsumer(threads: Int) async throws {
        let (slow, waiting) = ("fanfare_slow_consumers", "fanfare_send_queue_bytes")
        let filling = "\"" + String(repeating: "x", count: 1 << 16) + "\""
        try await TestBroker.run(threads: threads) {
            $0.metrics = .all
            $0.congestedBytes = 1 << 18
            $0.writeTimeout = .seconds(600)
        } _: { broker in
            let watcher = try await broker.connect()
            let (sleeper, socket) = try await TestClient.asleep(at: broker, subscribedTo: "/flood")

            let publisher = try await TestClient.open(at: broker)
            var numbers = try await broker.metrics(over: watcher)
            #expect(numbers[slow] == 0)
            #expect(numbers[waiting] == 0)
            // The system takes some megabytes before anything waits here.
            while numbers[slow] == 0 {
                try await publisher.publish(filling, to: "/flood")
                numbers = try await broker.metrics(over: watcher)
            }
            #expect(numbers[slow] == 1)
            // With less it would not be slow any more.
            #expect(try #require(numbers[waiting]) > Double(64 << 10))

            try await socket.startReading()
            while numbers[slow] != 0 || numbers[waiting] != 0 { numbers = try await broker.metrics(over: watcher) }
            #expect(try await sleeper.call("/meta/unsubscribe", #""subscription":"/flood""#).successful == true)
        }
    }

    @Test("What the store has not done yet")
    func storeThatHangs() async throws {
        let (operations, publications) = ("fanfare_store_queue_messages", "fanfare_engine_lag_messages")
        let store = HeldStore()
        try await TestBroker.run(store: store) {
            $0.metrics = .all
        } _: { broker in
            let watcher = try await broker.connect()
            var numbers = try await broker.metrics(over: watcher)
            #expect(numbers[operations] == 0)
            let socket = try await broker.connect()
            try await socket.send(TestSocket.request("POST", "/channels/kept?retain=true", body: "1"))
            while numbers[operations] == 0 { numbers = try await broker.metrics(over: watcher) }
            #expect(numbers[operations] == 1)
            #expect(numbers[publications] == 1)
            store.release()
            #expect(try await socket.readAnswer().status == 200)
            numbers = try await broker.metrics(over: watcher)
            #expect(numbers[operations] == 0)
            #expect(numbers[publications] == 0)
        }
    }
}

import BrokerFront
import Driver
import Testing

/// How the broker stops.
@Suite(.timeLimit(.minutes(10)))
struct ShutdownTests {
    /// Where no other test gets the port that has just become free.
    private static let hostOfItsOwn = "127.0.0.2"

    /// Sockets get 1012, held requests are answered, and nobody is waited for who has gone: the time that may be
    /// spent on waiting is longer than this test may take.
    @Test(arguments: [1, 2])
    func everyoneIsToldGoodbye(threads: Int) async throws {
        try await TestBroker.run(threads: threads) {
            $0.shutdownTimeout = .seconds(600)
            $0.host = Self.hostOfItsOwn
        } _: { broker in
            let clients = [
                try await TestClient.open(at: broker, subscribedTo: "/a"), try await TestClient.open(at: broker),
            ]
            let idle = try await broker.connect()
            #expect(try await idle.request("GET", "/health/live").status == 200)
            let poller = try await broker.connect()
            let handshake = try await poller.post(
                #"[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}]"#)
            let clientID = try #require(try Message.all(in: handshake.body).first?.clientId)
            let connect = #"[{"channel":"/meta/connect","clientId":"\#(clientID)","connectionType":"long-polling"}]"#
            #expect(try await poller.post(connect).status == 200)
            try await poller.send(TestSocket.post(connect))
            // The held connect has arrived once a later request on the same event loop has come back from the router.
            for _ in 0..<threads {
                #expect(try await broker.connect().request("GET", "/channels/none").status == 404)
            }

            async let stopped: Void = broker.server.stop()
            for client in clients { #expect(try await client.webSocket.nextClose() == .serviceRestart) }
            let answer = try await poller.readAnswer()
            #expect(answer.status == 200)
            #expect(answer.isLast)
            #expect(try Message.all(in: answer.body).map(\.channel) == ["/meta/connect"])
            #expect(await poller.readToEnd().isEmpty)
            #expect(await idle.readToEnd().isEmpty)
            try await stopped
            await #expect(throws: (any Error).self) { _ = try await broker.connect() }
        }
    }

    /// Load balancers see that it is about to stop before it does: everybody is served meanwhile.
    @Test(arguments: [1, 2])
    func isNotReadyBeforeItStops(threads: Int) async throws {
        try await TestBroker.run(threads: threads) {
            $0.drainDelay = .seconds(600)
            $0.shutdownTimeout = .seconds(900)
            $0.host = Self.hostOfItsOwn
        } _: { broker in
            let client = try await TestClient.open(at: broker, subscribedTo: "/a")
            let (kept, idle) = (try await broker.connect(), try await broker.connect())
            for socket in [kept, idle] { #expect(try await socket.request("GET", "/health/ready").status == 200) }
            let stopping = Task { try await broker.server.stop() }
            // It is told a moment later.
            while try await broker.connect().request("GET", "/health/ready").status == 200 {}
            let ready = try await kept.request("GET", "/health/ready")
            #expect(ready.status == 503 && ready.body.contains("draining") && ready.isLast)
            #expect(await kept.readToEnd().isEmpty)
            let late = try await broker.connect()
            #expect(try await late.request("POST", "/channels/a", body: "1").status == 200)
            #expect(try await client.delivery() == #"{"channel":"/a","data":1}"#)
            let lateClient = try await TestClient.open(at: broker, subscribedTo: "/a")

            // Whoever waits for it no longer wants to.
            stopping.cancel()
            #expect(try await client.webSocket.nextClose() == .serviceRestart)
            #expect(try await lateClient.webSocket.nextClose() == .serviceRestart)
            #expect(await idle.readToEnd().isEmpty)
            try await stopping.value
            await #expect(throws: (any Error).self) { _ = try await broker.connect() }
        }
    }

    /// Peers that say nothing are cut when the time is over.
    @Test
    func silentPeersAreCut() async throws {
        try await TestBroker.run {
            $0.shutdownTimeout = .milliseconds(300)
            $0.closeTimeout = .seconds(600)
        } _: { broker in
            let deaf = try await TestWebSocket.start(over: broker.connect(), isDeaf: true)
            try await deaf.expectOpen()
            let half = try await broker.connect()
            try await half.send("POST /channels/a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1")
            try await broker.server.stop()
            #expect(try await deaf.nextClose() == .serviceRestart)
            _ = await deaf.socket.readToEnd()
            _ = await half.readToEnd()
        }
    }

    @Test
    func stopTwiceAndStartAgainOnTheSamePort() async throws {
        try await TestBroker.run {
            $0.host = Self.hostOfItsOwn
        } _: { first in
            try await first.server.stop()
            try await first.server.stop()
            try await TestBroker.run {
                $0.host = first.host
                $0.port = first.port
            } _: { second in
                let socket = try await second.connect()
                #expect(try await socket.request("GET", "/health/live").status == 200)
            }
        }
    }

    @Test
    func portInUse() async throws {
        try await TestBroker.run { broker in
            let error = await #expect(throws: ListenError.self) {
                try await TestBroker.run {
                    $0.port = broker.port
                } _: { _ in
                }
            }
            #expect(error?.description.contains("127.0.0.1:\(broker.port): the port is in use") == true)
        }
    }
}

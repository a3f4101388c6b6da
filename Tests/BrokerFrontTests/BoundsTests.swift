import BrokerCore
import BrokerFront
import Driver
import Testing

/// What the broker does about clients that take too long, or too much.
@Suite(.timeLimit(.minutes(10)))
struct BoundsTests {
    static let beginnings = [
        "", "G", "GET / HTTP/1.1\r\nHost: a\r\n", "GET /bayeux HTTP/1.1\r\nUpgrade: websocket\r\n",
    ]

    @Test(arguments: beginnings)
    func requestThatDoesNotEnd(beginning: String) async throws {
        try await TestBroker.run {
            // The bystander has to make it in time, also on a machine that is busy.
            $0.handshakeTimeout = .seconds(5)
        } _: { broker in
            let bystander = try await Bystander(at: broker)
            let socket = try await broker.connect()
            // On a busy machine the time may be over before it is sent.
            try? await socket.send(beginning)
            let answer = String(decoding: await socket.readToEnd(), as: UTF8.self)
            #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 408"))
            #expect(try await bystander.getsMessages())
        }
    }

    @Test
    func idleConnectionIsClosed() async throws {
        try await TestBroker.run {
            $0.requestTimeout = .milliseconds(300)
        } _: { broker in
            let socket = try await broker.connect()
            #expect(try await socket.request("GET", "/health/live").status == 200)
            #expect(await socket.readToEnd().isEmpty)
        }
    }

    @Test
    func bodyThatDoesNotEnd() async throws {
        let timeouts = #"fanfare_connections_closed_total{transport="http",reason="timeout"}"#
        try await TestBroker.run {
            $0.requestTimeout = .milliseconds(300)
            $0.metrics = .all
        } _: { broker in
            let socket = try await broker.connect()
            try await socket.send("POST /channels/a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1")
            #expect(try await socket.readAnswer().status == 408)
            #expect(await socket.readToEnd().isEmpty)
            // The broker hears of it a moment later.
            while try await broker.metrics()[timeouts] != 1 {}
        }
    }

    /// The network went away without a word: the connection is closed, the session waits for its client.
    @Test(arguments: [1, 2])
    func halfOpenConnection(threads: Int) async throws {
        try await TestBroker.run(threads: threads) {
            // Time enough for the session to begin, also on a machine that is busy.
            $0.pingInterval = .seconds(2)
            $0.pongTimeout = .seconds(6)
        } _: { broker in
            let bystander = try await Bystander(at: broker)
            let deaf = try await TestWebSocket.start(over: broker.connect(), isDeaf: true)
            try await deaf.expectOpen()
            let client = try await TestClient.begin(over: deaf, subscribedTo: "/half")
            #expect(try await deaf.nextClose() == .abnormal)
            let publisher = try await TestClient.open(at: broker)
            try await publisher.publish("1", to: "/half")
            let back = try await TestClient.resume(client.clientID, at: broker)
            #expect(try await back.delivery() == #"{"channel":"/half","data":1}"#)
            #expect(try await bystander.getsMessages())
        }
    }

    /// Hixie's clients cannot be pinged: they are there as long as their session can be.
    @Test
    func silentClientWithoutPings() async throws {
        try await TestBroker.run {
            $0.metrics = .all
            $0.pingInterval = .milliseconds(50)
            $0.pongTimeout = .milliseconds(50)
            $0.limits.timeout = .seconds(3)
        } _: { broker in
            func waitForEnd(_ reason: String) async throws {
                let ends = #"fanfare_connections_closed_total{transport="websocket",reason="\#(reason)"}"#
                while try await broker.metrics()[ends] != 1 {}
            }
            func open() async throws -> TestSocket {
                let socket = try await broker.connect()
                try await socket.send(
                    "GET /bayeux HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n"
                        + "Origin: http://localhost\r\n\r\n")
                _ = try await socket.read(through: "\r\n\r\n")
                return socket
            }
            let mute = try await open()
            try await waitForEnd("pong")
            #expect(await mute.readToEnd().isEmpty)
            let socket = try await open()
            func ask(_ message: String) async throws -> String {
                try await socket.send([0] + Array(message.utf8) + [0xFF])
                return try await socket.read(through: "}]")
            }
            let types = #""supportedConnectionTypes":["websocket"]"#
            let greeting = try await ask(#"{"channel":"/meta/handshake","version":"1.0",\#(types)}"#)
            let clientID = try #require(greeting.firstMatch(of: /"clientId":"(\w+)"/)).output.1
            let connect = #"{"channel":"/meta/connect","clientId":"\#(clientID)","connectionType":"websocket"}"#
            #expect(try await ask(connect).contains(#""successful":true"#))
            // This one is held for three seconds.
            #expect(try await ask(connect).contains(#""successful":true"#))
            try await waitForEnd("done")
        }
    }

    /// A peer that never answers our Close is cut when its time is over.
    @Test
    func closeThatIsNotAnswered() async throws {
        try await TestBroker.run {
            $0.closeTimeout = .milliseconds(300)
        } _: { broker in
            let deaf = try await TestWebSocket.start(over: broker.connect(), isDeaf: true)
            try await deaf.expectOpen()
            try await deaf.send(raw: TestWebSocket.frame(opcode: 2, []))
            #expect(try await deaf.nextClose() == .unsupportedData)
            #expect(await deaf.socket.readToEnd().isEmpty)
        }
    }

    @Test(arguments: [1, 2])
    func clientThatDoesNotRead(threads: Int) async throws {
        let count = 4_000
        let batchCount = 50
        let filling = String(repeating: "x", count: 4_096)
        try await TestBroker.run(threads: threads) {
            $0.congestedBytes = 1 << 18
            // It sleeps for as long as the others take.
            $0.writeTimeout = .seconds(600)
        } _: { broker in
            let reader = try await TestClient.open(at: broker, subscribedTo: "/flood")
            let (sleeper, socket) = try await TestClient.asleep(at: broker, subscribedTo: "/flood")

            let publisher = try await TestWebSocket.open(at: broker)
            for start in stride(from: 0, to: count, by: batchCount) {
                let batch = (start..<start + batchCount).map {
                    #"{"channel":"/flood","id":"\#($0)","data":["\#(filling)",\#($0)]}"#
                }
                try await publisher.send("[" + batch.joined(separator: ",") + "]")
                var answered = 0
                while answered < batchCount { answered += try Message.all(in: try await publisher.nextText()).count }
            }
            for number in 0..<count {
                let message = try await reader.delivery()
                #expect(message.hasSuffix("\",\(number)]}"))
            }

            // What was on its way, how many are missing, and the last ones that its queue could hold.
            try await socket.startReading()
            var numbers: [Int] = []
            var missingCount = 0
            while numbers.last != count - 1 {
                let message = try await sleeper.delivery()
                if let gap = message.firstMatch(of: /"gap":{"count":([0-9]+)}/) {
                    missingCount += try #require(Int(gap.1))
                } else {
                    numbers.append(try #require(message.firstMatch(of: /",([0-9]+)\]}$/).flatMap { Int($0.1) }))
                }
            }
            #expect(missingCount > 0)
            #expect(numbers.count + missingCount == count)
            #expect(numbers == numbers.sorted())
            // The session and its connection are still there.
            #expect(try await sleeper.call("/meta/unsubscribe", #""subscription":"/flood""#).successful == true)
        }
    }

    /// One that has too much before it is closed and counted; its session waits for its client.
    @Test(arguments: [1, 2])
    func connectionWithTooMuchToTake(threads: Int) async throws {
        let slow = #"fanfare_connections_closed_total{transport="websocket",reason="slow"}"#
        let filling = "\"" + String(repeating: "x", count: 1 << 16) + "\""
        try await TestBroker.run(threads: threads) {
            $0.metrics = .all
            // Time enough to see that this is not why.
            $0.writeTimeout = .seconds(600)
            // Less than what makes its messages wait with the session.
            $0.outboundBytes = 1 << 18
        } _: { broker in
            let bystander = try await Bystander(at: broker)
            let watcher = try await broker.connect()
            let (sleeper, socket) = try await TestClient.asleep(at: broker, subscribedTo: "/flood")

            let publisher = try await TestClient.open(at: broker)
            var closedCount = try await broker.metrics(over: watcher)[slow]
            #expect(closedCount == 0)
            // The system takes some megabytes before anything waits here.
            while closedCount == 0 {
                try await publisher.publish(filling, to: "/flood")
                closedCount = try await broker.metrics(over: watcher)[slow]
            }
            #expect(closedCount == 1)
            try await socket.startReading()
            #expect(try await sleeper.webSocket.nextClose() == .abnormal)

            let back = try await TestClient.resume(sleeper.clientID, at: broker)
            try await publisher.publish("\"last\"", to: "/flood")
            while try await !back.delivery().contains("\"last\"") {}
            #expect(try await bystander.getsMessages())
        }
    }

    @Test(arguments: [1, 2])
    func connectionLimit(threads: Int) async throws {
        try await TestBroker.run(threads: threads) {
            $0.connections = 2
        } _: { broker in
            let bystander = try await Bystander(at: broker)
            let last = try await broker.connect()
            #expect(try await last.request("GET", "/health/live").status == 200)
            let answer = try await broker.connect().request("GET", "/health/live")
            #expect(answer.status == 503 && answer.headers["retry-after"] == "5" && answer.isLast)
            #expect(try await bystander.getsMessages())

            try await last.close()
            // The broker hears of it a moment later.
            while true {
                let next = try await broker.connect()
                if let answer = try? await next.request("GET", "/health/live"), answer.status != 503 {
                    #expect(answer.status == 200)
                    break
                }
            }
        }
    }

    /// A few are told that there are too many; a flood is not.
    @Test
    func connectionsFarBeyondTheLimit() async throws {
        try await TestBroker.run {
            $0.connections = 1
        } _: { broker in
            let first = try await broker.connect()
            let told = try await broker.connect()
            #expect(try await broker.connect().readToEnd().isEmpty)
            #expect(try await told.request("GET", "/health/live").status == 503)
            #expect(try await first.request("GET", "/health/live").status == 200)
        }
    }
}

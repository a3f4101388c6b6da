import Driver
import Testing

/// What well-behaved clients do, with one event loop and with two.
@Suite(.timeLimit(.minutes(10)))
struct BrokerTests {
    @Test(arguments: [1, 2])
    func publicationReachesSubscribers(threads: Int) async throws {
        try await TestBroker.run(threads: threads) { broker in
            let first = try await TestClient.open(at: broker, subscribedTo: "/chat/*")
            let second = try await TestClient.open(at: broker, subscribedTo: "/chat/room", "/chat/**")
            let publisher = try await TestClient.open(at: broker)
            for number in 1...100 {
                #expect(try await publisher.publish("\(number)", to: "/chat/room").successful == true)
            }
            for number in 1...100 {
                let expected = #"{"channel":"/chat/room","data":\#(number)}"#
                #expect(try await first.delivery() == expected)
                #expect(try await second.delivery() == expected)
            }
        }
    }

    @Test(arguments: [1, 2])
    func everyoneCanPublishAndSubscribe(threads: Int) async throws {
        try await TestBroker.run(threads: threads) { broker in
            var clients: [TestClient] = []
            for _ in 0..<8 { clients.append(try await .open(at: broker, subscribedTo: "/all")) }
            for (number, client) in clients.enumerated() { try await client.publish("\(number)", to: "/all") }
            for client in clients {
                for number in clients.indices {
                    #expect(try await client.delivery() == #"{"channel":"/all","data":\#(number)}"#)
                }
            }
        }
    }

    /// As nginx does it with a kept-alive upstream connection.
    @Test(arguments: [1, 2])
    func upgradeAfterOtherRequests(threads: Int) async throws {
        try await TestBroker.run(threads: threads) { broker in
            let socket = try await broker.connect()
            #expect(try await socket.request("GET", "/health/live").status == 200)
            #expect(try await socket.request("GET", "/nowhere").status == 404)
            let webSocket = try await TestWebSocket.start(over: socket)
            try await webSocket.expectOpen()
            let client = try await TestClient.begin(over: webSocket, subscribedTo: "/late")
            try await client.publish("1", to: "/late")
            #expect(try await client.delivery() == #"{"channel":"/late","data":1}"#)
        }
    }

    /// Bytes behind a handshake belong to the WebSocket, whether the connection began with it or not.
    @Test(arguments: [false, true])
    func frameRightBehindTheHandshake(isSecondRequest: Bool) async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            if isSecondRequest { #expect(try await socket.request("GET", "/health/live").status == 200) }
            let frame = TestWebSocket.frame(opcode: 1, Array("[]".utf8))
            let webSocket = try await TestWebSocket.start(over: socket, tail: frame)
            try await webSocket.expectOpen()
            #expect(try await webSocket.nextText() == "[]")
        }
    }

    @Test(arguments: [1, 2])
    func messagesWaitForAnAbsentSession(threads: Int) async throws {
        try await TestBroker.run(threads: threads) { broker in
            let absent = try await TestClient.open(at: broker, subscribedTo: "/waiting")
            try await absent.webSocket.close()
            #expect(try await absent.webSocket.nextClose() == .normal)
            let publisher = try await TestClient.open(at: broker)
            for number in 1...3 { try await publisher.publish("\(number)", to: "/waiting") }
            let back = try await TestClient.resume(absent.clientID, at: broker)
            for number in 1...3 {
                #expect(try await back.delivery() == #"{"channel":"/waiting","data":\#(number)}"#)
            }
        }
    }

    @Test
    func disconnectClosesTheSocket() async throws {
        try await TestBroker.run { broker in
            let client = try await TestClient.open(at: broker)
            #expect(try await client.call("/meta/disconnect", #""x":0"#).successful == true)
            #expect(try await client.webSocket.nextClose() == .normal)
        }
    }

    @Test
    func emptyBatchIsAnswered() async throws {
        try await TestBroker.run { broker in
            let webSocket = try await TestWebSocket.open(at: broker)
            try await webSocket.send("[]")
            #expect(try await webSocket.nextText() == "[]")
        }
    }
}

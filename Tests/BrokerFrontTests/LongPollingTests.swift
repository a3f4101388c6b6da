import Testing

/// Bayeux by requests (Bayeux 1.0 §6.1).
@Suite(.timeLimit(.minutes(10)))
struct LongPollingTests {
    /// A session whose messages are fetched.
    private struct Poller {
        let socket: TestSocket
        let clientID: String

        init(at broker: TestBroker, subscribedTo channel: String) async throws {
            socket = try await broker.connect()
            let handshake = try await socket.post(
                #"[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}]"#)
            clientID = try #require(try Message.all(in: handshake.body).first?.clientId)
            let subscription = try await socket.post(
                #"{"channel":"/meta/subscribe","clientId":"\#(clientID)","subscription":"\#(channel)"}"#)
            #expect(try Message.all(in: subscription.body).map(\.successful) == [true])
            // The first connect of a session is answered at once.
            #expect(try Message.all(in: try await socket.post(connect).body).map(\.channel) == ["/meta/connect"])
        }

        var connect: String {
            #"[{"channel":"/meta/connect","clientId":"\#(clientID)","connectionType":"long-polling"}]"#
        }
    }

    @Test(arguments: [1, 2])
    func heldConnectIsAnsweredWithMessages(threads: Int) async throws {
        try await TestBroker.run(threads: threads) { broker in
            let poller = try await Poller(at: broker, subscribedTo: "/poll")
            let publisher = try await TestClient.open(at: broker)
            for number in 1...5 {
                try await poller.socket.send(TestSocket.post(poller.connect))
                try await publisher.publish("\(number)", to: "/poll")
                let answer = try await poller.socket.readAnswer()
                #expect(answer.status == 200)
                #expect(answer.headers["content-type"] == "application/json; charset=utf-8")
                let messages = try Message.all(in: answer.body)
                #expect(messages.map(\.channel) == ["/meta/connect", "/poll"])
                #expect(messages.first?.successful == true)
                #expect(answer.body.hasSuffix(#",{"channel":"/poll","data":\#(number)}]"#))
            }
        }
    }

    /// A page that is left gives up its request; what comes then waits for the next one.
    @Test(arguments: [1, 2])
    func abandonedConnect(threads: Int) async throws {
        try await TestBroker.run(threads: threads) { broker in
            let bystander = try await Bystander(at: broker)
            let poller = try await Poller(at: broker, subscribedTo: "/poll")
            try await poller.socket.send(TestSocket.post(poller.connect))
            try await poller.socket.close()
            #expect(try await bystander.getsMessages())
            let publisher = try await TestClient.open(at: broker)
            // A message may be lost with the connection that it was written to; those after it are not.
            try await publisher.publish("1", to: "/poll")
            try await publisher.publish("2", to: "/poll")
            let next = try await broker.connect()
            #expect(try await next.post(poller.connect).body.contains(#"{"channel":"/poll","data":2}"#))
        }
    }

    @Test
    func formWithAMessage() async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let answer = try await socket.request(
                "POST", "/bayeux", headers: [("Content-Type", "text/plain")],
                body: "x=1&message=%5B%7B%22channel%22%3A%22%2Fa%22%2C%22data%22:%22b+c%22%7D%5D")
            #expect(try Message.all(in: answer.body).map(\.successful) == [true])
        }
    }

    struct BadRequest: CustomTestStringConvertible, Sendable {
        var testDescription: String { "\(method) \(body)" }
        var method = "POST"
        var type = "application/json"
        let body: String
    }
    static let badRequests = [
        BadRequest(body: "{"), BadRequest(body: ""), BadRequest(body: "1"), BadRequest(body: "[]]"),
        BadRequest(type: "text/plain", body: "[]"), BadRequest(type: "text/plain", body: "message=["),
        BadRequest(method: "PUT", body: "[]"), BadRequest(method: "GET", body: ""),
    ]

    @Test(arguments: badRequests)
    func badRequest(row: BadRequest) async throws {
        try await TestBroker.run { broker in
            let bystander = try await Bystander(at: broker)
            let socket = try await broker.connect()
            let answer = try await socket.request(
                row.method, "/bayeux", headers: [("Content-Type", row.type)], body: row.body)
            #expect(answer.status == 400)
            #expect(answer.body.trimmed == "Bad request")
            // The connection goes on.
            #expect(try await socket.post("[]").body == "[]")
            #expect(try await bystander.getsMessages())
        }
    }

    @Test
    func pipelinedRequestsAreAnsweredInOrder() async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let requests = (1...20).map { TestSocket.post(#"[{"channel":"/a","data":1,"id":"\#($0)"}]"#) }
            try await socket.send(requests.joined())
            for number in 1...20 {
                #expect(try Message.all(in: try await socket.readAnswer().body).map(\.id) == ["\(number)"])
            }
        }
    }
}

extension TestSocket {
    /// The bytes of a request with a Bayeux batch.
    static func post(_ batch: String) -> String {
        request("POST", "/bayeux", headers: [("Content-Type", "application/json")], body: batch)
    }

    /// Posts a Bayeux batch.
    func post(_ batch: String) async throws -> HTTPAnswer {
        try await send(Self.post(batch))
        return try await readAnswer()
    }
}

extension String {
    /// Without the line end.
    var trimmed: String { hasSuffix("\n") ? String(dropLast()) : self }
}

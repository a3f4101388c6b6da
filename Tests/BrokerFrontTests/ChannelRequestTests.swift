import BrokerCore
import BrokerFront
import Testing

/// What a request for a channel may say where, and what `HEAD` is told.
@Suite(.timeLimit(.minutes(10)))
struct ChannelRequestTests {
    struct Key: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var query = ""
        var header: String?
    }
    static let keys = [
        Key(testDescription: "header", header: "one"),
        Key(testDescription: "query", query: "?Idempotency-Key=one"),
        Key(testDescription: "escaped in the query", query: "?retain&Idempotency%2dKey=%6fne"),
        Key(testDescription: "the query wins", query: "?Idempotency-Key=one", header: "two"),
    ]

    /// Each way says the same key: what the first has published is not taken again.
    @Test(arguments: keys, keys)
    func idempotencyKey(first: Key, second: Key) async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            var receipts: [HTTPAnswer] = []
            for key in [first, second] {
                let headers = key.header.map { [("Idempotency-Key", $0)] } ?? []
                receipts.append(
                    try await socket.request("POST", "/channels/kept" + key.query, headers: headers, body: "1"))
            }
            #expect(receipts[0].status == 200)
            #expect(receipts[0].body == receipts[1].body)
            let other = try await socket.request("POST", "/channels/kept?Idempotency-Key=two", body: "1")
            #expect(other.body != receipts[0].body)
        }
    }

    @Test
    func keyOfOtherData() async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let first = try await socket.request("POST", "/channels/kept?Idempotency-Key=one", body: "1")
            #expect(first.status == 200)
            let other = try await socket.request("POST", "/channels/kept?Idempotency-Key=one", body: "2")
            #expect(other.status == 422)
            #expect(other.body.contains("The Idempotency-Key stands for other data"))
            let again = try await socket.request("POST", "/channels/kept?Idempotency-Key=one", body: "1")
            #expect(again.body == first.body)
        }
    }

    /// The channel's policy says less than `limits.message-bytes`: the data counts, not what stands around it.
    @Test
    func dataThatIsTooLarge() async throws {
        let news = try ChannelPattern("/news", grammar: .faye, maximumBytes: 100)
        try await TestBroker.run {
            $0.policies[news] = ChannelPolicy(messageBytes: 3)
        } _: { broker in
            let socket = try await broker.connect()
            #expect(try await socket.request("POST", "/channels/news", body: " 123 \n").status == 200)
            let refused = try await socket.request("POST", "/channels/news", body: "1234")
            #expect(refused.status == 413)
            #expect(refused.headers["content-type"] == "application/problem+json")
            #expect(refused.body.contains("413:/news,3:Message too large"))
            // The connection goes on.
            #expect(try await socket.request("POST", "/channels/other", body: "1234").status == 200)
        }
    }

    @Test(arguments: ["", String(repeating: "k", count: 256)])
    func keyThatIsNone(key: String) async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let answer = try await socket.request("POST", "/channels/kept?Idempotency-Key=\(key)", body: "1")
            #expect(answer.status == 400)
            #expect(answer.body.contains("Idempotency-Key has 1 to 255 characters"))
        }
    }

    static let targets = [
        "/channels/kept", "/channels/none", "/channels/news?since=0", "/channels/news?limit=1",
        "/channels/news?since=x", "/channels/none?since=0", "/channels/a.b", "/channels/kept/*",
    ]

    /// RFC 9110 §9.3.2: the same as for `GET`, without the body.
    @Test(arguments: targets)
    func headIsGetWithoutBody(target: String) async throws {
        let news = try ChannelPattern("/news", grammar: .faye, maximumBytes: 100)
        try await TestBroker.run {
            $0.policies[news] = ChannelPolicy(historyCount: 10)
        } _: { broker in
            let socket = try await broker.connect()
            for path in ["news", "kept?retain"] {
                #expect(try await socket.request("POST", "/channels/\(path)", body: "1").status == 200)
            }
            let get = try await socket.request("GET", target)
            let head = try await socket.request("HEAD", target)
            #expect(head.status == get.status)
            #expect(head.headers.filter { $0.key != "date" } == get.headers.filter { $0.key != "date" })
        }
    }

    static let streams = [
        "/channels/a", "/channels/a/**", "/channels/a?since=1", "/channels/a?since=x", "/channels/a.b",
        "/channels/service/a",
    ]

    /// Also for a stream, of which it gets the head and the end.
    @Test(arguments: streams, [1, 2])
    func headOfStream(target: String, threads: Int) async throws {
        try await TestBroker.run(threads: threads) { broker in
            let headers = [("Accept", "text/event-stream")]
            let asking = try await broker.connect()
            try await asking.send(TestSocket.request("HEAD", target, headers: headers))
            let head = try await asking.readAnswer(hasBody: false)
            if head.status == 200 {
                let rest = await asking.readToEnd()
                #expect(rest.isEmpty)
            }
            // Nobody is subscribed by that.
            let publisher = try await broker.connect()
            while try await !publisher.request("POST", "/channels/a", body: "1").body.contains(#""matched":0"#) {}

            let socket = try await broker.connect()
            try await socket.send(TestSocket.request("GET", target, headers: headers))
            let get = try await socket.readAnswer()
            #expect(head.status == get.status)
            #expect(head.headers.filter { $0.key != "date" } == get.headers.filter { $0.key != "date" })
        }
    }
}

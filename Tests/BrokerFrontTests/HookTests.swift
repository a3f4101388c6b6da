import BrokerCore
import BrokerFront
import Testing

/// The rules of a program that embeds the broker hold for plain HTTP, too.
@Suite(.timeLimit(.minutes(10)))
struct HookTests {
    private static func hooks() -> BrokerHooks {
        var hooks = BrokerHooks()
        hooks.incoming = { message, transport in
            let text = String(decoding: message, as: UTF8.self)
            if text.contains("/secret") { return .refused("403:\(transport):Say the word") }
            if text == #"{"channel":"/a","data":[1]}"# { return .changed(Array(#"{"channel":"/b","data":2}"#.utf8)) }
            if text.contains("/spoiled") { return .changed(Array("{}".utf8)) }
            return .unchanged
        }
        return hooks
    }

    @Test
    func publications() async throws {
        try await TestBroker.run(hooks: Self.hooks()) { broker in
            let subscriber = try await TestClient.open(at: broker, subscribedTo: "/a", "/b")
            let socket = try await broker.connect()
            let refused = try await socket.request("POST", "/channels/secret", body: "1")
            #expect(refused.status == 403)
            #expect(refused.body.contains("403:long-polling:Say the word"))
            #expect(try await socket.request("POST", "/channels/spoiled", body: "1").status == 500)
            #expect(try await socket.request("POST", "/channels/a", body: "[1]").status == 200)
            #expect(try await subscriber.delivery() == #"{"channel":"/b","data":2}"#)
            #expect(try await socket.request("POST", "/channels/a", body: "[2]").status == 200)
            #expect(try await subscriber.delivery() == #"{"channel":"/a","data":[2]}"#)
        }
    }

    @Test(arguments: ["/channels/secret", "/channels/secret?since=0", "/channels/secret/**"])
    func reading(target: String) async throws {
        try await TestBroker.run(hooks: Self.hooks()) { broker in
            let headers = target.hasSuffix("**") ? [("Accept", "text/event-stream")] : []
            let answer = try await broker.connect().request("GET", target, headers: headers)
            #expect(answer.status == 403)
            #expect(answer.body.contains("Say the word"))
            #expect(try await broker.connect().request("GET", "/channels/other").status == 404)
        }
    }
}

import Foundation

/// The fields of a message that tests look at.
struct Message: Decodable {
    let channel: String?
    let id: String?
    let clientId: String?
    let successful: Bool?
    let error: String?

    /// The messages of a frame or of a body.
    static func all(in text: String) throws -> [Message] {
        try JSONDecoder().decode([Message].self, from: Data(text.utf8))
    }
}

/// A Bayeux session over a WebSocket.
final class TestClient {
    let webSocket: TestWebSocket
    private(set) var clientID: String
    private var lastID = 0
    private var deliveries: [String] = []

    private init(webSocket: TestWebSocket, clientID: String = "") {
        self.webSocket = webSocket
        self.clientID = clientID
    }

    /// A session that gets the messages of `channels` as they come.
    static func open(at broker: TestBroker, subscribedTo channels: String...) async throws -> TestClient {
        let client = TestClient(webSocket: try await .open(at: broker))
        try await client.begin(subscribedTo: channels)
        return client
    }

    /// The same over a WebSocket that is open.
    static func begin(over webSocket: TestWebSocket, subscribedTo channels: String...) async throws -> TestClient {
        let client = TestClient(webSocket: webSocket)
        try await client.begin(subscribedTo: channels)
        return client
    }

    /// A session that gets the messages of a channel and reads nothing any more, until its socket does again.
    static func asleep(at broker: TestBroker, subscribedTo channel: String) async throws -> (TestClient, TestSocket) {
        let socket = try await broker.connect()
        let webSocket = try await TestWebSocket.start(over: socket)
        try await webSocket.expectOpen()
        let client = try await begin(over: webSocket, subscribedTo: channel)
        try await socket.stopReading()
        return (client, socket)
    }

    /// Goes on with a session over another WebSocket.
    static func resume(_ clientID: String, at broker: TestBroker) async throws -> TestClient {
        let client = TestClient(webSocket: try await .open(at: broker), clientID: clientID)
        try await client.connect()
        return client
    }

    private func begin(subscribedTo channels: [String]) async throws {
        let reply = try await call("/meta/handshake", #""version":"1.0","supportedConnectionTypes":["websocket"]"#)
        guard let clientID = reply.clientId else { throw Missing("no session: \(reply)") }
        self.clientID = clientID
        if !channels.isEmpty {
            let list = channels.map { "\"\($0)\"" }.joined(separator: ",")
            let reply = try await call("/meta/subscribe", #""subscription":[\#(list)]"#)
            guard reply.successful == true else { throw Missing("no subscription: \(reply)") }
        }
        try await connect()
    }

    /// The first connect, which is answered at once.
    private func connect() async throws {
        let reply = try await call("/meta/connect", #""connectionType":"websocket""#)
        guard reply.successful == true else { throw Missing("not connected: \(reply)") }
    }

    /// Publishes a JSON value and waits for the acknowledgement.
    @discardableResult
    func publish(_ data: String, to channel: String) async throws -> Message {
        try await call(channel, #""data":\#(data)"#)
    }

    /// Sends a message and waits for its reply.
    func call(_ channel: String, _ fields: String) async throws -> Message {
        lastID += 1
        let id = "\(lastID)"
        let client = clientID.isEmpty ? "" : #","clientId":"\#(clientID)""#
        try await webSocket.send(#"[{"channel":"\#(channel)","id":"\#(id)"\#(client),\#(fields)}]"#)
        while true {
            if let reply = try await receive().first(where: { $0.id == id }) { return reply }
        }
    }

    /// The next message of a channel, as JSON.
    func delivery() async throws -> String {
        while deliveries.isEmpty { _ = try await receive() }
        return deliveries.removeFirst()
    }

    /// Reads a frame; the replies in it are returned, a delivered message is kept.
    private func receive() async throws -> [Message] {
        let text = try await webSocket.nextText()
        let messages = try Message.all(in: text)
        guard messages.contains(where: { $0.successful == nil }) else { return messages }
        guard messages.count == 1 else { throw Missing("a delivered message in a frame of its own, not \(text)") }
        deliveries.append(String(text.dropFirst().dropLast()))
        return []
    }
}

/// A well-behaved client that stands by while others misbehave: it goes on getting its messages.
struct Bystander {
    private let client: TestClient

    init(at broker: TestBroker) async throws {
        client = try await .open(at: broker, subscribedTo: "/bystander")
    }

    /// Whether a message still gets to it, and nothing else does.
    func getsMessages() async throws -> Bool {
        try await client.publish("\"still here\"", to: "/bystander")
        return try await client.delivery() == #"{"channel":"/bystander","data":"still here"}"#
    }
}

import Testing

@testable import BrokerFront

/// How many `Host` fields a request has (RFC 9112 §3.2), and that a WebSocket's handshake is asked the same.
@Suite(.timeLimit(.minutes(10)))
struct HostFieldTests {
    private static let upgrade =
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

    @Test(arguments: [
        ("HTTP/1.1\r\n", 400), ("HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n", 400),
        ("HTTP/1.1\r\nHost:\r\n", 421), ("HTTP/1.1\r\nHost: localhost\r\n", 200),
        ("HTTP/1.0\r\n", 200), ("HTTP/1.0\r\nHost: evil.example\r\n", 421),
    ])
    func request(head: String, status: Int) async throws {
        #expect(try await Self.status(of: "GET /health/live \(head)\r\n") == status)
    }

    @Test(arguments: [
        ("", 400), ("Host: localhost\r\nHost: localhost\r\n", 400), ("Host:\r\n", 421), ("Host: localhost\r\n", 101),
    ])
    func handshake(fields: String, status: Int) async throws {
        #expect(try await Self.status(of: "GET /bayeux HTTP/1.1\r\n\(fields)\(Self.upgrade)\r\n") == status)
    }

    /// How a broker that answers to names of this machine only answers to a request.
    private static func status(of request: String) async throws -> Int {
        var status = 0
        try await TestBroker.run {
            $0.allowedHosts = []
        } _: { broker in
            let socket = try await broker.connect()
            try await socket.send(request)
            status = try await socket.readAnswer().status
        }
        return status
    }
}

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

    struct Name: CustomTestStringConvertible, Sendable {
        var testDescription: String { "\(host) where \(listed) are listed" }
        let host: String
        var listed = ["broker.example"]
        let isAllowed: Bool
    }
    static let names = [
        Name(host: "broker.example:8000", isAllowed: true),
        Name(host: "127.0.0.1", isAllowed: true),
        Name(host: "10.0.0.5:8000", isAllowed: true),
        Name(host: "evil.example:8000", isAllowed: false),
        Name(host: "", isAllowed: false),
        Name(host: "evil.example:8000", listed: ["*"], isAllowed: true),
        Name(host: "evil.example:8000", listed: [], isAllowed: true),
    ]

    /// One that listens elsewhere, too, looks at names as soon as the operator has listed some.
    @Test(arguments: names)
    func beyondLoopback(row: Name) async throws {
        let fields = "HTTP/1.1\r\nHost: \(row.host)\r\n"
        let request = try await Self.status(of: "GET /health/live \(fields)\r\n", on: "0.0.0.0", row.listed)
        #expect(request == (row.isAllowed ? 200 : 421))
        let handshake = try await Self.status(of: "GET /bayeux \(fields)\(Self.upgrade)\r\n", on: "0.0.0.0", row.listed)
        #expect(handshake == (row.isAllowed ? 101 : 421))
    }

    /// How a broker that listens there, and answers to names of this machine and those that are listed, answers to a request.
    private static func status(
        of request: String, on host: String = "127.0.0.1", _ listed: [String] = []
    ) async throws -> Int {
        var status = 0
        try await TestBroker.run {
            $0.host = host
            $0.allowedHosts = listed
        } _: { broker in
            let socket = try await TestSocket.connect(to: broker.port)
            try await socket.send(request)
            status = try await socket.readAnswer().status
        }
        return status
    }
}

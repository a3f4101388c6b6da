import Foundation
import Testing

/// Errors of routes that are not Bayeux: problem details (RFC 9457).
@Suite(.timeLimit(.minutes(10)))
struct ProblemTests {
    private struct Problem: Decodable {
        let title: String
        let status: Int
        let detail: String
    }

    struct Row: CustomTestStringConvertible, Sendable {
        var testDescription: String { "\(method) \(target)" }
        let method: String
        let target: String
        let status: Int
        let title: String
        var allowed: String?
    }
    private static let channelMethods = "GET, HEAD, POST, OPTIONS"
    private static let fileMethods = "GET, HEAD, OPTIONS"
    static let rows = [
        Row(method: "GET", target: "/nowhere", status: 404, title: "Not Found"),
        Row(method: "GET", target: #"/"\<script>"#, status: 404, title: "Not Found"),
        Row(method: "GET", target: "/channels", status: 404, title: "Not Found"),
        Row(method: "GET", target: "/channels/empty", status: 404, title: "Not Found"),
        Row(method: "GET", target: "/channels/a.b", status: 400, title: "Bad Request"),
        Row(method: "POST", target: "/channels/a?ttl=x", status: 400, title: "Bad Request"),
        Row(method: "POST", target: "/channels/meta/connect", status: 403, title: "Forbidden"),
        Row(
            method: "PUT", target: "/channels/a", status: 405, title: "Method Not Allowed", allowed: channelMethods),
        Row(
            method: "DELETE", target: "/channels/a", status: 405, title: "Method Not Allowed",
            allowed: channelMethods),
        Row(method: "POST", target: "/", status: 405, title: "Method Not Allowed", allowed: fileMethods),
        Row(
            method: "PATCH", target: "/health/live", status: 405, title: "Method Not Allowed", allowed: fileMethods),
    ]

    @Test(arguments: rows)
    func problem(row: Row) async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let answer = try await socket.request(row.method, row.target, body: row.method == "GET" ? "" : "1")
            #expect(answer.status == row.status)
            #expect(answer.headers["content-type"] == "application/problem+json")
            #expect(answer.headers["cache-control"] == "no-cache, no-store")
            #expect(answer.headers["x-content-type-options"] == "nosniff")
            #expect(answer.headers["allow"] == row.allowed)
            let problem = try JSONDecoder().decode(Problem.self, from: Data(answer.body.utf8))
            #expect(problem.title == row.title)
            #expect(problem.status == row.status)
            #expect(!problem.detail.isEmpty)
            #expect(!answer.isLast)
        }
    }

    /// The same as for GET, without the body (RFC 9110 §9.3.2).
    @Test(arguments: ["/", "/fanfare.js", "/health/ready", "/nowhere", "/channels/kept", "/channels/a.b"])
    func head(target: String) async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            _ = try await socket.request("POST", "/channels/kept?retain", body: "[1]")
            let whole = try await socket.request("GET", target)
            let head = try await socket.request("HEAD", target)
            #expect(head.status == whole.status)
            for name in ["content-type", "content-length", "cache-control", "fanfare-seq", "vary"] {
                #expect(head.headers[name] == whole.headers[name])
            }
        }
    }

    /// Shells and libraries say many things about what they post.
    @Test(arguments: [nil, "application/x-www-form-urlencoded", "text/plain", "application/json", "x"])
    func publicationOfAnyType(type: String?) async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let headers = type.map { [("Content-Type", $0)] } ?? []
            let answer = try await socket.request("POST", "/channels/a", headers: headers, body: #"{"a":"b+%20"}"#)
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "application/json; charset=utf-8")
            let refused = try await socket.request("POST", "/channels/a", headers: headers, body: "a=b")
            #expect(refused.status == 400)
            #expect(refused.headers["content-type"] == "application/problem+json")
        }
    }
}

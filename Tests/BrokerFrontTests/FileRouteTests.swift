import Testing

/// The files that browsers get: what may be kept of them, and what the page may do.
@Suite struct FileRouteTests {
    static let paths = [
        "/", "/page.css", "/page.js", "/fanfare.js", "/fanfare-tabs.js", "/fanfare.d.ts", "/dashboard",
        "/dashboard.css",
        "/dashboard.js",
    ]

    /// Asks by the machine's own name: the dashboard is for whoever is on it.
    private static func get(
        _ path: String, from broker: TestBroker, over socket: TestSocket, known: String? = nil
    ) async throws -> HTTPAnswer {
        let condition = known.map { "If-None-Match: \($0)\r\n" } ?? ""
        try await socket.send("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(broker.port)\r\n\(condition)\r\n")
        return try await socket.readAnswer()
    }

    @Test("A browser that has a file gets it once", arguments: paths)
    func known(path: String) async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let first = try await Self.get(path, from: broker, over: socket)
            let tag = try #require(first.headers["etag"])
            #expect(first.headers["cache-control"] == "no-cache")
            for known in [tag, "W/\(tag)", #""other", \#(tag)"#, "*"] {
                let again = try await Self.get(path, from: broker, over: socket, known: known)
                #expect(again.status == 304, "\(known)")
                #expect(again.body.isEmpty)
                #expect(again.headers["etag"] == tag)
                #expect(again.headers["content-length"] == nil)
            }
            let other = try await Self.get(path, from: broker, over: socket, known: #""other""#)
            #expect(other.status == 200)
            #expect(other.body == first.body)
        }
    }

    @Test("Files have tags of their own")
    func tags() async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            var tags = Set<String>()
            for path in Self.paths {
                tags.insert(try await Self.get(path, from: broker, over: socket).headers["etag"] ?? "")
            }
            #expect(tags.count == Self.paths.count)
        }
    }

    @Test("Pages have a policy, and what that forbids is not in them", arguments: ["/", "/dashboard"])
    func policy(path: String) async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let page = try await Self.get(path, from: broker, over: socket)
            let policy = try #require(page.headers["content-security-policy"])
            #expect(policy.hasPrefix("default-src 'none'; script-src 'self'; style-src 'self';"))
            #expect(!policy.contains("unsafe"))
            for forbidden in ["<style", " style=", " onclick=", "<script>", "javascript:"] {
                #expect(!page.body.contains(forbidden), "\(forbidden)")
            }
        }
    }
}

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
        _ path: String, from broker: TestBroker, over socket: TestSocket, known: String? = nil, codings: String? = nil
    ) async throws -> HTTPAnswer {
        try await socket.send(request("GET", path, to: broker, known: known, codings: codings))
        return try await socket.readAnswer()
    }

    private static func request(
        _ method: String, _ path: String, to broker: TestBroker, known: String? = nil, codings: String? = nil
    ) -> String {
        let fields = [
            "Host: 127.0.0.1:\(broker.port)", known.map { "If-None-Match: \($0)" },
            codings.map { "Accept-Encoding: \($0)" },
        ]
        return "\(method) \(path) HTTP/1.1\r\n" + fields.compactMap { $0 }.map { $0 + "\r\n" }.joined() + "\r\n"
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

    /// That what is compressed is the file: test_client_features.py.
    @Test("Who takes gzip gets a file compressed, with a tag of its own", arguments: paths + ["/bayeux.js"])
    func compressed(path: String) async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let plain = try await Self.get(path, from: broker, over: socket)
            let (plainTag, bytes) = (try #require(plain.headers["etag"]), plain.body.utf8.count)
            #expect(plain.headers["content-encoding"] == nil)
            for codings in ["gzip", "br, GZIP;q=0.5", "deflate,gzip ; q=1, *;q=0", "x-gzip"] {
                let packed = try await Self.get(path, from: broker, over: socket, codings: codings)
                #expect(packed.status == 200)
                #expect(packed.headers["content-encoding"] == "gzip", "\(codings)")
                #expect(packed.headers["content-type"] == plain.headers["content-type"])
                let length = try #require(packed.headers["content-length"])
                let count = try #require(Int(length))
                #expect(count < bytes)
                let tag = try #require(packed.headers["etag"])
                #expect(tag != plainTag)

                try await socket.send(Self.request("HEAD", path, to: broker, codings: codings))
                let head = try await socket.readAnswer(hasBody: false)
                #expect(head.headers["content-length"] == length)
                #expect(head.headers["content-encoding"] == "gzip")
                #expect(head.headers["etag"] == tag)

                let known = try await Self.get(path, from: broker, over: socket, known: tag, codings: codings)
                #expect(known.status == 304)
                #expect(known.headers["etag"] == tag)
                #expect(known.body.isEmpty)
                // Each coding is something else to have.
                let other = try await Self.get(path, from: broker, over: socket, known: plainTag, codings: codings)
                #expect(other.status == 200)
                #expect(try await Self.get(path, from: broker, over: socket, known: tag).status == 200)
            }
            for codings in ["", "br", "gzip;q=0", "br, gzip; Q=0.000", "gzipped", "gzip;q=none", "*"] {
                let answer = try await Self.get(path, from: broker, over: socket, codings: codings)
                #expect(answer.body == plain.body, "\(codings)")
                #expect(answer.headers["content-encoding"] == nil, "\(codings)")
                #expect(answer.headers["etag"] == plainTag)
            }
        }
    }

    @Test("Caches are told that the coding depends on who asks", arguments: [nil, "gzip"])
    func varies(codings: String?) async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            try await socket.send(Self.request("HEAD", "/fanfare.js", to: broker, codings: codings))
            #expect(try await socket.read(through: "\r\n\r\n").contains("\r\nVary: Accept-Encoding\r\n"))
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

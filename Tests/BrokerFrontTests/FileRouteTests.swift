import Testing

/// The files that browsers get: what may be kept of them, and what the page may do.
@Suite struct FileRouteTests {
    static let paths = ["/", "/page.css", "/page.js", "/fanfare.js", "/fanfare-tabs.js", "/fanfare.d.ts"]

    @Test("A browser that has a file gets it once", arguments: paths)
    func known(path: String) async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let first = try await socket.request("GET", path)
            let tag = try #require(first.headers["etag"])
            #expect(first.headers["cache-control"] == "no-cache")
            for known in [tag, "W/\(tag)", #""other", \#(tag)"#, "*"] {
                let again = try await socket.request("GET", path, headers: [("If-None-Match", known)])
                #expect(again.status == 304, "\(known)")
                #expect(again.body.isEmpty)
                #expect(again.headers["etag"] == tag)
                #expect(again.headers["content-length"] == nil)
            }
            let other = try await socket.request("GET", path, headers: [("If-None-Match", #""other""#)])
            #expect(other.status == 200)
            #expect(other.body == first.body)
        }
    }

    @Test("Files have tags of their own")
    func tags() async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            var tags = Set<String>()
            for path in Self.paths { tags.insert(try await socket.request("GET", path).headers["etag"] ?? "") }
            #expect(tags.count == Self.paths.count)
        }
    }

    @Test("The page has a policy, and what that forbids is not in it")
    func policy() async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            let page = try await socket.request("GET", "/")
            let policy = try #require(page.headers["content-security-policy"])
            #expect(policy.hasPrefix("default-src 'none'; script-src 'self'; style-src 'self';"))
            #expect(!policy.contains("unsafe"))
            for forbidden in ["<style", " style=", " onclick=", "<script>", "javascript:"] {
                #expect(!page.body.contains(forbidden), "\(forbidden)")
            }
        }
    }
}

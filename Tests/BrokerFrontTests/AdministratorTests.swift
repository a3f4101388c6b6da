import NIOHTTP1
import Testing

@testable import BrokerFront

/// Without keys, who is on this machine is the administrator; web pages and proxies are told apart.
@Suite("The administrator without keys")
struct AdministratorTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let headers: [(String, String)]
        let isLocal: Bool
        let version: HTTPVersion

        init(
            _ description: String, _ headers: [(String, String)], _ isLocal: Bool, version: HTTPVersion = .http1_1
        ) {
            self.version = version
            (testDescription, self.headers, self.isLocal) = (description, headers, isLocal)
        }
    }

    static let rows: [Row] = [
        Row("a program", [("Host", "127.0.0.1:8000")], true),
        Row("a program by name", [("Host", "LocalHost:8000")], true),
        Row("a program over IPv6", [("Host", "[::1]:8000")], true),
        Row("the broker's own page", [("Host", "localhost:8000"), ("Origin", "http://localhost:8000")], true),
        Row(
            "its address in the browser's bar", [("Host", "localhost:8000"), ("Sec-Fetch-Site", "none")], true),
        Row("a page of another origin", [("Host", "localhost:8000"), ("Origin", "https://evil.example")], false),
        Row("a page of another port", [("Host", "localhost:8000"), ("Origin", "http://localhost:9000")], false),
        Row("a hidden origin", [("Host", "localhost:8000"), ("Origin", "null")], false),
        Row("a link on another page", [("Host", "localhost:8000"), ("Sec-Fetch-Site", "cross-site")], false),
        Row("a page on another port", [("Host", "localhost:8000"), ("Sec-Fetch-Site", "same-site")], false),
        Row("a name that was turned to this machine", [("Host", "evil.example:8000")], false),
        Row("such a name with its origin", [("Host", "evil.example"), ("Origin", "http://evil.example")], false),
        Row("a name that begins alike", [("Host", "127.0.0.1.evil.example")], false),
        Row("no host", [], false),
        Row("two hosts", [("Host", "localhost"), ("Host", "localhost")], false),
        Row("a proxy", [("Host", "localhost"), ("X-Forwarded-For", "203.0.113.1")], false),
        Row("a proxy of the new kind", [("Host", "localhost"), ("Forwarded", "for=203.0.113.1")], false),
        Row("a proxy that names the scheme", [("Host", "localhost"), ("X-Forwarded-Proto", "https")], false),
        Row("a proxy that names the host", [("Host", "localhost"), ("x-forwarded-host", "a.example")], false),
        Row("a proxy that names the address", [("Host", "localhost"), ("X-Real-IP", "203.0.113.1")], false),
        Row("a proxy that names itself", [("Host", "localhost"), ("Via", "1.1 proxy")], false),
        Row("a proxy that says nothing, as nginx speaks", [("Host", "127.0.0.1:8000")], false, version: .http1_0),
    ]

    @Test("Only what comes from this machine alone", arguments: rows)
    func isLocal(row: Row) {
        let head = HTTPRequestHead(
            version: row.version, method: .GET, uri: "/admin/stats", headers: HTTPHeaders(row.headers))
        #expect(AccessControl.isLocal(head) == row.isLocal)
    }
}

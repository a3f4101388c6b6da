import BrokerCore
import Testing

/// The client behind proxies: the last hop that is not trusted, and nothing that stands before it.
@Suite("Trusted proxies")
struct ProxyTrustTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let fields: [String]
        let client: String

        init(_ description: String, _ fields: [String], _ client: String) {
            (testDescription, self.fields, self.client) = (description, fields, client)
        }
    }
    private static let proxy = IPAddress("10.0.0.1")

    private static func trust(_ header: ProxyTrust.Header) -> ProxyTrust {
        var trust = ProxyTrust()
        trust.ranges = ["10.0.0.0/8", "127.0.0.1", "2001:db8:aaaa::/48"].compactMap { AddressRange($0) }
        trust.header = header
        return trust
    }

    static let lists: [Row] = [
        Row("no field", [], "10.0.0.1"), Row("one hop", ["203.0.113.7"], "203.0.113.7"),
        Row("what the client has sent stands before it", ["127.0.0.1, 203.0.113.7"], "203.0.113.7"),
        Row("a second trusted proxy", ["198.51.100.1, 203.0.113.7, 10.2.3.4"], "203.0.113.7"),
        Row("only trusted ones", ["10.9.9.9, 10.2.3.4"], "10.9.9.9"),
        Row("two fields", ["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
        Row("two fields, the last one trusted", ["203.0.113.7", "10.2.3.4"], "203.0.113.7"),
        Row("a port", ["203.0.113.7:4711"], "203.0.113.7"), Row("IPv6", ["2001:db8::7"], "2001:db8::7"),
        Row("IPv6 with a port", ["[2001:db8::7]:4711"], "2001:db8::7"),
        Row("IPv6 that stands for IPv4", ["::ffff:203.0.113.7"], "203.0.113.7"),
        Row("a trusted one of IPv6", ["203.0.113.7, 2001:db8:aaaa::1"], "203.0.113.7"),
        Row("what is no address", ["203.0.113.7, unknown"], "10.0.0.1"),
        Row("what is no address behind a trusted one", ["203.0.113.7, _gazonk, 10.2.3.4"], "10.2.3.4"),
        Row("an empty element", ["203.0.113.7,"], "10.0.0.1"), Row("an empty field", [""], "10.0.0.1"),
        Row("a quote that swallows nothing", [#"", 203.0.113.7"#], "203.0.113.7"),
        Row("what makes one character with a comma", ["6.6.6.6, \u{600}, 203.0.113.7"], "203.0.113.7"),
        Row("a port that is none", ["203.0.113.7:http"], "10.0.0.1"), Row("tabs", ["\t203.0.113.7\t"], "203.0.113.7"),
    ]

    @Test(arguments: lists)
    func xForwardedFor(row: Row) {
        #expect(Self.trust(.xForwardedFor).client(behind: Self.proxy, row.fields)?.description == row.client)
    }

    static let standard: [Row] = [
        Row("one hop", ["for=203.0.113.7"], "203.0.113.7"),
        Row("other parameters", [#"by=10.0.0.1;For="203.0.113.7:4711";proto=http"#], "203.0.113.7"),
        Row("IPv6", [#"for="[2001:db8::7]:4711""#], "2001:db8::7"),
        Row("two hops", [#"for=198.51.100.1, for=203.0.113.7, for="10.2.3.4""#], "203.0.113.7"),
        Row("separators in quotes", [#"for=203.0.113.7;host="a,b;for=1.2.3.4""#], "203.0.113.7"),
        Row("an escaped quote", [#"for=203.0.113.7;host="a\",for=1.2.3.4""#], "203.0.113.7"),
        Row("no for", ["for=203.0.113.7, proto=http"], "10.0.0.1"),
        Row("two of them", ["for=203.0.113.7;for=203.0.113.8"], "10.0.0.1"),
        Row("an obfuscated one", ["for=203.0.113.7, for=_hidden"], "10.0.0.1"),
        Row("a list of the other kind", ["203.0.113.7"], "10.0.0.1"),
        Row("quotes that do not end", ["for=\""], "10.0.0.1"),
        Row("a hop within quotes", [#"for=203.0.113.7;host="a,for=1.2.3.4;x=\"""#], "203.0.113.7"),
        Row(
            "a host that the proxy has put into quotes as it was", [#"for=203.0.113.7;host="a,for=1.2.3.4;x="""#],
            "10.0.0.1"),
        Row("quotes around what the proxy adds", [#"for="x, for=203.0.113.7"#], "10.0.0.1"),
        Row("quotes behind an address around it", [#"for=6.6.6.6;x=", for=203.0.113.7"#], "10.0.0.1"),
        Row("quotes that the proxy's own end", [#"for=6.6.6.6;x=", for="[2001:db8::7]""#], "10.0.0.1"),
        Row("a quote in what the proxy quotes", [#"for=6.6.6.6;x=", for=203.0.113.7;host="a\"b""#], "10.0.0.1"),
        Row("a value there", [#"for=6.6.6.6;x=", for=203.0.113.7;host=";y=\"""#], "10.0.0.1"),
        Row("a backslash before the proxy's", [#"for=6.6.6.6;x="\, for="203.0.113.7:1""#], "10.0.0.1"),
        Row("open quotes in a field of its own", [#"for=6.6.6.6;x=""#, "for=203.0.113.7"], "203.0.113.7"),
        Row("open quotes before a trusted one", [#"for=6.6.6.6;x=", for=1.2.3.4"#, "for=10.2.3.4"], "10.2.3.4"),
        Row("what makes one character with a comma", ["for=6.6.6.6;x=\u{600}, for=203.0.113.7"], "203.0.113.7"),
    ]

    @Test(arguments: standard)
    func forwarded(row: Row) {
        #expect(Self.trust(.forwarded).client(behind: Self.proxy, row.fields)?.description == row.client)
    }

    @Test
    func unixSockets() {
        var trust = ProxyTrust()
        #expect(trust.isEmpty && !trust.trusts(nil))
        trust.trustsUnixSockets = true
        #expect(!trust.isEmpty && trust.trusts(nil) && !trust.trusts(IPAddress("127.0.0.1")))
        #expect(trust.client(behind: nil, ["198.51.100.1, 203.0.113.7"]) == IPAddress("203.0.113.7"))
        #expect(trust.client(behind: nil, []) == nil)
    }
}

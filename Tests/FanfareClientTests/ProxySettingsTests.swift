import Driver
import FanfareClient
import Testing

/// Which proxy leads to which broker.
struct ProxySettingsTests {
    struct Row: CustomTestStringConvertible, Sendable {
        var testDescription: String { "\(url) \(environment)" }
        let environment: [String: String]
        let url: String
        /// The proxy's host.
        let host: String?
    }
    static let rows = [
        Row(environment: [:], url: "ws://a.example/", host: nil),
        Row(environment: ["http_proxy": "http://p:3128"], url: "ws://a.example/", host: "p"),
        Row(environment: ["http_proxy": "p:3128"], url: "ws://a.example/", host: "p"),
        Row(environment: ["http_proxy": ""], url: "ws://a.example/", host: nil),
        Row(environment: ["HTTP_PROXY": "http://p:3128"], url: "ws://a.example/", host: nil),
        Row(environment: ["http_proxy": "http://p:3128"], url: "wss://a.example/", host: nil),
        Row(environment: ["https_proxy": "http://q:3128"], url: "wss://a.example/", host: "q"),
        Row(environment: ["HTTPS_PROXY": "http://q:3128"], url: "wss://a.example/", host: "q"),
        Row(environment: ["ALL_PROXY": "http://r"], url: "ws://a.example/", host: "r"),
        Row(environment: ["all_proxy": "http://r", "no_proxy": "*"], url: "ws://a.example/", host: nil),
        Row(environment: ["all_proxy": "http://r", "no_proxy": "a.example"], url: "ws://a.example/", host: nil),
        Row(environment: ["all_proxy": "http://r", "no_proxy": ".example"], url: "ws://a.example/", host: nil),
        Row(environment: ["all_proxy": "http://r", "no_proxy": "b, A.Example"], url: "ws://x.a.example/", host: nil),
        Row(environment: ["all_proxy": "http://r", "no_proxy": "a.example"], url: "ws://xa.example/", host: "r"),
        Row(environment: ["all_proxy": "http://r", "no_proxy": "a.example:81"], url: "ws://a.example/", host: "r"),
        Row(environment: ["all_proxy": "http://r", "no_proxy": "a.example:80"], url: "ws://a.example/", host: nil),
        Row(environment: ["all_proxy": "http://r", "no_proxy": "::1"], url: "ws://[::1]/", host: nil),
        Row(environment: ["all_proxy": "http://r", "no_proxy": "[::1]:80"], url: "ws://[::1]/", host: nil),
    ]

    @Test(arguments: rows)
    func proxy(row: Row) throws {
        let settings = try ProxySettings(environment: row.environment)
        #expect(settings.proxy(for: try WebSocketURL(row.url))?.host == row.host)
    }

    @Test
    func invalid() {
        #expect(throws: ProxyURL.Invalid.self) { try ProxySettings(environment: ["http_proxy": "socks5://p"]) }
    }
}

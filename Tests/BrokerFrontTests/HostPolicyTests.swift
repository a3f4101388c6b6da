import Testing

@testable import BrokerFront

/// By which names a broker on loopback answers: pages whose name was turned to this machine have another one.
@Suite("Names of the broker")
struct HostPolicyTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let host: String
        let isAllowed: Bool
        var testDescription: String { host }
    }

    static let rows: [Row] = [
        Row(host: "127.0.0.1:8000", isAllowed: true), Row(host: "localhost", isAllowed: true),
        Row(host: "LOCALHOST:1", isAllowed: true), Row(host: "localhost.:1", isAllowed: true),
        Row(host: "[::1]:8000", isAllowed: true), Row(host: "broker.example:80", isAllowed: true),
        Row(host: "ported.example:80", isAllowed: true), Row(host: "ported.example", isAllowed: true),
        Row(host: "[2001:db8::1]:80", isAllowed: true), Row(host: "2001", isAllowed: false),
        Row(host: "pages.example", isAllowed: true), Row(host: "evil.example", isAllowed: false),
        Row(host: "127.0.0.1.evil.example", isAllowed: false), Row(host: "localhost.evil.example", isAllowed: false),
        Row(host: "evil-broker.example", isAllowed: false), Row(host: "", isAllowed: false),
        Row(host: "[::1", isAllowed: false), Row(host: "192.168.0.1", isAllowed: false),
        Row(host: "localhost:80.evil.example", isAllowed: false), Row(host: "[::1].evil.example", isAllowed: false),
        Row(host: "localhost:", isAllowed: true), Row(host: "localhost:1:2", isAllowed: false),
    ]

    @Test("This machine's names, those that are listed, and hosts of origins that are let in", arguments: rows)
    func hosts(row: Row) {
        var configuration = BrokerConfiguration()
        configuration.allowedHosts = ["broker.example", "ported.example:80", "2001:db8::1", ":90"]
        configuration.allowedOrigins = ["https://pages.example:444"]
        #expect(HostPolicy(configuration).allows(row.host) == row.isAllowed)
    }

    @Test(
        "What stands for this machine alone",
        arguments: [
            ("127.0.0.1", true), ("127.1.2.3", true), ("localhost", true), ("::1", true), ("0.0.0.0", false),
            ("::", false), ("192.168.1.1", false), ("127.0.0", false), ("127.0.0.1.2", false), ("127.0.0.256", false),
            ("", false), ("example.com", false),
        ])
    func loopback(host: String, isLoopback: Bool) {
        #expect(HostName.isLoopback(host) == isLoopback)
    }
}

import Testing

@testable import BrokerFront

/// To which names a broker answers: pages whose name was turned to this machine have another one.
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

    static let beyond: [Row] = [
        Row(host: "broker.example:8000", isAllowed: true), Row(host: "broker.lan:8000", isAllowed: true),
        Row(host: "pages.example", isAllowed: true), Row(host: "localhost:8000", isAllowed: true),
        Row(host: "192.168.0.1:8000", isAllowed: true), Row(host: "192.168.0.1", isAllowed: true),
        Row(host: "[2001:db8::5]:8000", isAllowed: true), Row(host: "[::ffff:10.0.0.1]", isAllowed: true),
        Row(host: "evil.example:8000", isAllowed: false), Row(host: "10.0.0.1.evil.example", isAllowed: false),
        Row(host: "10.0.0.256", isAllowed: false), Row(host: "10.0.0", isAllowed: false),
        Row(host: "10.0.0.+1", isAllowed: false), Row(host: "10.0.0.1x", isAllowed: false),
        Row(host: "[evil.example]", isAllowed: false), Row(host: "2001:db8::5", isAllowed: false),
        Row(host: "broker", isAllowed: false), Row(host: "", isAllowed: false),
    ]

    /// An address is nobody's to turn elsewhere, and what probes ask for.
    @Test("Beyond loopback those that are listed, and addresses", arguments: beyond)
    func beyondLoopback(row: Row) throws {
        var configuration = BrokerConfiguration()
        configuration.host = "broker.lan"
        configuration.allowedHosts = ["broker.example"]
        configuration.allowedOrigins = ["https://pages.example:444"]
        let hosts = try #require(LiveNames(configuration).hosts)
        #expect(hosts.allows(row.host) == row.isAllowed)
    }

    /// The names change while the broker runs.
    @Test("Beyond loopback all names, until one is listed")
    func unlisted() {
        var configuration = BrokerConfiguration()
        configuration.host = "0.0.0.0"
        let names = LiveNames(configuration)
        #expect(names.hosts?.allows("evil.example") == nil)
        configuration.allowedHosts = ["broker.example"]
        names.set(configuration)
        #expect(names.hosts?.allows("evil.example") == false)
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

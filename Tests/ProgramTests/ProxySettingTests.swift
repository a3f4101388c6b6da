import Testing

/// Settings of proxies and rates: what is taken, what is refused, what a reload applies.
@Suite(.timeLimit(.minutes(10)))
struct ProxySettingTests {
    @Test
    func taken() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            """
            trusted-proxies: [10.1.2.3/8, "::1", unix]
            trusted-header: forwarded
            rates:
              publish-per-session: 100/m
              bytes-per-session: 1MiB/s burst 16MiB
              requests-per-address: off
            """, to: "fanfare.yaml")
        let ending = try await Program.run("broker-server", "print-config", "--config", path)
        let lines = ending.output.split(separator: "\n").map { $0.split(separator: "#")[0] }.map { line in
            line.split(separator: " ").joined(separator: " ")
        }
        for line in [
            "trusted-proxies: [10.0.0.0/8, '::1', unix]", "trusted-header: forwarded",
            "publish-per-session: 100/m", "bytes-per-session: '1MiB/s burst 16MiB'", "requests-per-address: off",
            "connections-per-address: '50/s burst 1000'",
        ] {
            #expect(lines.contains(line), "\(line) is missing in\n\(ending.output)")
        }
    }

    static let refused: [(text: String, problem: String)] = [
        ("trusted-proxies: [10.0.0.0/33]", "10.0.0.0/33 is not an address such as 10.0.0.1"),
        ("trusted-proxies: [localhost]", "localhost is not an address"),
        ("listeners: [{listen: '127.0.0.1:0', proxy-protocol: true}]", "nobody may send a PROXY header"),
        ("rates: {publish-per-session: 5}", "5 is not a rate such as 50/s"),
        ("rates: {publish-per-session: 0/s}", "0/s is not a rate"),
        ("rates: {publish-per-session: 5/s burst}", "5/s burst is not a rate"),
        ("rates: {bytes-per-session: 1MB/s}", "1MB/s is not a rate such as 1MiB/s"),
    ]

    @Test(arguments: refused)
    func refusals(row: (text: String, problem: String)) async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(row.text, to: "fanfare.yaml")
        let ending = try await Program.run("broker-server", "check-config", path)
        #expect(ending.status == 78)
        #expect(ending.errors.contains(row.problem), "\(ending.errors)")
    }

    @Test
    func reload() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("", to: "fanfare.yaml")
        let database = folder.path("fanfare.db")
        let broker = try await RunningBroker("--config", path, "--database", database)
        _ = try folder.write(
            "rates: {loopback: true, publish-per-session: 1/h}\nlimits: {connections-per-address: 7}\n",
            to: "fanfare.yaml")
        let ending = try await Program.run("broker-server", "reload", "--database", database)
        let report =
            "3 applied: limits.connections-per-address, rates.publish-per-session, rates.loopback; 0 need a restart"
        #expect(ending.output == report + "\n")
        let curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{response_code}", "-d", "1", broker.url + "/channels/a"]
        for status in ["200", "429"] {
            let answer = try await Program("/usr/bin/env", curl).end()
            #expect(answer.output == status)
        }
        try await broker.stop()
    }
}

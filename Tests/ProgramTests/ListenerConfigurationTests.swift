import Foundation
import Testing

/// `listeners` and `listen`: what a configuration may say of them, and what is said of mistakes.
@Suite(.timeLimit(.minutes(10)))
struct ListenerConfigurationTests {
    static let files = [
        BadFile(
            testDescription: "everything at once",
            text: """
                listeners:
                  - lisen: 127.0.0.1:0
                  - listen: unix:relative
                    tls: {certficate: a.pem}
                  - listen: 127.0.0.1:0
                    mode: rw
                    admin: maybe
                    name: two words
                  - here
                """,
            problems: [
                #":2:5: unknown key "lisen", did you mean "listen"?"#,
                ":3:13: listeners[1].listen: unix:relative is not an address and port such as 127.0.0.1:8000, a socket such as unix:/run/fanfare.sock, or systemd",
                #":4:11: unknown key "tls.certficate", did you mean "tls.certificate"?"#,
                ":6:11: listeners[2].mode: rw is not a mode of three octal digits such as 660",
                ":7:12: listeners[2].admin: maybe is not true or false",
                ":8:11: listeners[2].name: two words is not a name without blanks",
                ":9:5: listeners[3] is not keys and values",
            ]),
        BadFile(
            testDescription: "a group",
            text: """
                listeners:
                  - listen: 127.0.0.1:0
                    tsl: {certificate: a.pem, key: b.pem}
                """,
            problems: [#":3:5: unknown key "tsl", did you mean "tls"?"#]),
        BadFile(
            testDescription: "what is missing",
            text: """
                listeners:
                  - name: nowhere
                  - {listen: "127.0.0.1:1", tls: {certificate: a.pem}}
                  - {listen: "127.0.0.1:2", mode: 600}
                """,
            problems: [
                ":2:5: listeners[0].listen is missing", ":3:5: listeners[1]: tls.key is missing",
                ":4:5: listeners[2]: mode, owner and group are for unix:/path only",
            ]),
        BadFile(
            testDescription: "two of the same",
            text: """
                listen: [127.0.0.1:7, "unix:/run/a"]
                listeners:
                  - {listen: "unix:/run/a", name: a}
                  - {listen: 127.0.0.1:0, name: a}
                  - {listen: 127.0.0.1:0}
                  - {listen: 127.0.0.1:0}
                tls: {certificate: c, key: k, listen: 127.0.0.1:7}
                """,
            problems: [
                ":7:31: there are two listeners at 127.0.0.1:7", ":3:5: there are two listeners at unix:/run/a",
                ":4:5: there are two listeners named a",
            ]),
        BadFile(
            testDescription: "certificates of clients that nobody could tell good from bad",
            text: """
                tls: {certificate: c, key: k, client-certificates: required}
                listeners:
                  - {listen: "127.0.0.1:1", tls: {certificate: c, key: k, client-certificates: optional}}
                  - {listen: "127.0.0.1:2", tls: {certificate: c, key: k, client-certificates: none}}
                """,
            problems: [
                ":3:5: listeners[0]: tls.client-certificates means nothing without tls.client-authority"
            ]),
        BadFile(
            testDescription: "the same of the group tls",
            text: "tls: {certificate: c, key: k, client-certificates: required}\n",
            problems: [":1:31: tls.client-certificates means nothing without tls.client-authority"]),
        BadFile(
            testDescription: "TLS without its key", text: "tls: {certificate: c}\n",
            problems: [":1:7: tls.key is missing"]),
        BadFile(
            testDescription: "no list", text: "listeners: {listen: \"127.0.0.1:0\"}\n",
            problems: [":1:12: listeners is not a list"]),
        BadFile(testDescription: "nowhere", text: "listen: []\n", problems: [":1:1: there is no listener"]),
    ]

    @Test(arguments: files, [["check-config"], ["serve", "--config"]])
    func badFile(row: BadFile, command: [String]) async throws {
        try await row.check(command)
    }

    /// What `print-config` prints means the same when it is read again.
    @Test
    func printed() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            """
            listeners:
              - name: public
                listen: 0.0.0.0:8443
                tls: {certificate: /etc/c.pem, key: /etc/k.pem, client-authority: /etc/a.pem, client-certificates: optional}
                admin: false
                metrics: false
              - {listen: "unix:/run/fanfare/socket", mode: 0600, group: www-data, trusted: true}
              - {listen: systemd, proxy-protocol: true}
            trusted-proxies: [192.0.2.0/24]
            """, to: "fanfare.yaml")
        let first = try await Program.run("broker-server", "print-config", "--config", path)
        #expect(first.errors == "")
        for line in [
            "listen: []", "  - name: public", "    tls:", "      client-certificates: optional", "    admin: false",
            "    listen: unix:/run/fanfare/socket", "    mode: 600", "    group: www-data", "    trusted: true",
            "    listen: systemd", "    proxy-protocol: true",
        ] {
            let isThere = first.output.split(separator: "\n").contains { $0 == line || $0.hasPrefix(line + " ") }
            #expect(isThere, "\(line) is missing in\n\(first.output)")
        }
        #expect(first.output.contains("# \(path):2:5\n"), "where a listener comes from")
        let again = try folder.write(first.output, to: "again.yaml")
        let second = try await Program.run("broker-server", "print-config", "--config", again)
        #expect(values(second.output) == values(first.output))
    }

    /// What has no effect is not shown as if it had: without an authority nobody is asked for a certificate.
    @Test
    func noAuthority() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            """
            listeners: [{listen: "127.0.0.1:1", tls: {certificate: c, key: k}}]
            tls: {certificate: c, key: k}
            """, to: "fanfare.yaml")
        let ending = try await Program.run("broker-server", "print-config", "--config", path)
        #expect(ending.status == 0)
        #expect(!ending.output.contains("client-certificates"))
    }

    /// The default is one among many only as long as there are no others.
    @Test
    func theDefault() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("listeners: [{listen: \"127.0.0.1:0\"}]\n", to: "fanfare.yaml")
        let ending = try await Program.run("broker-server", "print-config", "--config", path)
        #expect(ending.output.contains("listen: []"))
        let both = try await Program.run(
            "broker-server", "print-config", "--config", path, "--listen", "127.0.0.1:1", "--listen", "unix:/run/x")
        #expect(both.output.contains("listen: [127.0.0.1:1, unix:/run/x]"))
        #expect(both.output.contains("    listen: 127.0.0.1:0\n"))
    }

    private func values(_ output: String) -> [String] {
        output.split(separator: "\n").map { line in
            String(line.prefix(upTo: line.firstRange(of: " #")?.lowerBound ?? line.endIndex))
                .trimmingCharacters(in: .whitespaces)
        }
    }
}

import Foundation
import Testing

/// Every key of the reference: nonsense is refused where it stands, and a reload says what becomes of another value.
@Suite(.timeLimit(.minutes(10)))
struct EveryKeyTests {
    /// A key as the reference tells of it.
    struct Key {
        let name: String
        let type: String
        let isLive: Bool

        /// Its name within its group.
        var lastPart: String { String(name.split(separator: ".").last ?? "") }

        private static func all(in page: String) throws -> [Key] {
            let lines = page.split(separator: "\n")
            return try lines.indices.filter { lines[$0].hasPrefix("### ") }.map { index in
                let facts = try #require(lines[index...].first { $0.hasPrefix("*") && $0.hasSuffix("*") })
                let parts = facts.dropFirst().dropLast().replacing("\\*", with: "*").components(separatedBy: " · ")
                return Key(
                    name: String(lines[index].dropFirst(5).dropLast()), type: parts[0], isLive: parts.last == "live")
            }
        }

        static func all() async throws -> [Key] {
            let keys = try all(in: try await Program.run("broker-server", "print-config", "--markdown").output)
            #expect(keys.count > 60)
            return keys
        }
    }

    /// What no key of a type may have; all of them are refused of each.
    static func nonsense(for type: String) -> [String]? {
        let type = type.hasPrefix("list of ") ? String(type.dropFirst(8)) : type
        let huge = ["99999999999999999999", "9223372036854775807"]
        if type.hasPrefix("a number from ") {
            return huge + ["-1", "1.5", "many", "1e3", "''", "1 000"] + (type.hasPrefix("a number from 0") ? [] : ["0"])
        }
        if type.hasPrefix("bytes from ") {
            return huge + ["-1", "0", "1.5KiB", "5MB", "-1KiB", "99999999999GiB", "''", "much"]
        }
        let words = type.components(separatedBy: ", ")
        return switch type {
        case "time": huge + ["0", "-1", "-5s", "0ms", "soon", "5 s", "nan", "inf", "100000d", "''"]
        case "time, or 0": huge + ["-1", "-5s", "0ms", "soon", "5 s", "nan", "inf", "100000d", "''"]
        case "bytes, or 0": huge.prefix(1) + ["-1", "1.5", "5MB", "''"]
        case "rate, or off", "rate of bytes, or off", "rate of time, or off":
            ["5", "0/s", "-1/s", "5/d", "5/s burst 0", "5/s burst", "5/s burst many", "fast", "''", "\(huge[0])/s"]
        case "true or false": ["yes", "1", "maybe", "TRUE", "''"]
        case "path":
            ["bayeux", "/", "/a/", "/a//b", "'/a b'", "/a?b", "/../a", "/admin", "/channels/x", "/health", "/metrics"]
        case "origin":
            [
                "example.com", "http://", "https://a.example/", "https://a.example/page", "'https://a b'", "ftp://a",
                "'https://*.example.com'", "''",
            ]
        case "host": ["''", "a/b", "'a b'"]
        case "address, range, or unix": ["10.0.0.0/33", "10.0.0/8", "::/129", "here", "-1", "''"]
        case "host:port, unix:/path or systemd:NAME":
            [
                "8000", "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:-1", ":80", "'a b:80'", "unix:relative",
                "'systemd:'", "''",
            ]
        case "octal digits": ["9", "888", "-77", "+77", "77777", "rw-", "''"]
        case "name": ["''", "'two words'"]
        case "file or address, or ISSUER= before one": ["''", "https://", "ftp://a/keys", "=keys.pem"]
        case "file", "file, or :memory:", "text": ["''"]
        case _ where words.count > 1 && words.allSatisfy({ $0.allSatisfy { $0.isLetter || $0 == "-" } }):
            ["nonsense", "''", words[0] + "x", words[0].uppercased()]
        default: nil
        }
    }

    /// A configuration file that gives keys values, and where each of them stands.
    struct ValueFile {
        private(set) var text = ""
        /// What the error about it names: the line, and the key as it is called there.
        private(set) var places: [(key: Key, value: String, line: Int, named: String)] = []

        init(_ values: [(key: Key, value: String)]) {
            let grouped = Dictionary(grouping: values) {
                $0.key.name.contains(".") ? $0.key.name.prefix { $0 != "." } : ""
            }
            for (group, members) in grouped.sorted(by: { $0.key < $1.key }) {
                switch group {
                case "channels":
                    append("channels:\n  /a/**:\n")
                    for (key, value) in members { append(key, value, indent: "    ", named: key.lastPart) }
                case "listeners[]":
                    append("listeners:\n")
                    for (index, (key, value)) in members.enumerated() {
                        let own = key.name.dropFirst("listeners[].".count)
                        append("  -\n" + (own.hasPrefix("tls.") ? "    tls:\n" : ""))
                        append(key, value, indent: "      ", named: "listeners[\(index)].\(own)")
                    }
                default:
                    append(group.isEmpty ? "" : "\(group):\n")
                    for (key, value) in members {
                        append(key, value, indent: group.isEmpty ? "" : "  ", named: key.name)
                    }
                }
            }
        }

        private mutating func append(_ lines: String) { text += lines }

        private mutating func append(_ key: Key, _ value: String, indent: String, named: String) {
            places.append((key, value, text.count { $0 == "\n" } + 1, named))
            text += "\(indent)\(key.lastPart): \(value)\n"
        }
    }

    @Test("Nonsense: the error names the file, the line and the key, and what would do")
    func nonsense() async throws {
        let folder = try TemporaryFolder()
        let rows = try await Key.all().map { key in
            (key, try #require(Self.nonsense(for: key.type), "There is no nonsense for \(key.name): \(key.type)"))
        }
        for round in 0..<(rows.lazy.map(\.1.count).max() ?? 0) {
            let file = ValueFile(
                rows.compactMap { key, values in values.count > round ? (key, values[round]) : nil })
            let path = try folder.write(file.text, to: "bad.yaml")
            let ending = try await Program.run("broker-server", "check-config", path)
            #expect(ending.status == 78)
            let errors = ending.errors.split(separator: "\n")
            for place in file.places {
                let isTold = errors.contains {
                    $0.contains("\(path):\(place.line):") && $0.contains(": \(place.named)") && $0.contains(" is not ")
                }
                #expect(isTold, "\(place.key.name): \(place.value) in line \(place.line)")
            }
        }
    }

    /// The smallest and the largest good value of keys that have one; none of them may overflow what it is added to.
    static func extremes(of key: Key) -> (smallest: String, largest: String)? {
        let number = key.type.split(separator: " ")
        switch key.type {
        case "time": return ("1ms", "1000000000s")
        case "rate, or off", "rate of bytes, or off": return ("1/h", "1000000000/s burst 9223372036854775807")
        case "rate of time, or off": return ("1ms/h", "1000000000/s burst 1000000000")
        // A thread for each of them would be much for a test.
        case _ where key.name == "threads": return ("1", "2")
        case _ where key.type.hasPrefix("a number from ") || key.type.hasPrefix("bytes from "):
            return (String(number[number.count - 3]), String(number[number.count - 1]))
        default: return nil
        }
    }

    @Test("A broker runs with every bound at its smallest, and at its largest", arguments: [false, true])
    func extremes(largest: Bool) async throws {
        let folder = try TemporaryFolder()
        let values = try await Key.all().compactMap { key -> (key: Key, value: String)? in
            guard !key.name.hasPrefix("listeners[]"), let extremes = Self.extremes(of: key) else { return nil }
            return (key, largest ? extremes.largest : extremes.smallest)
        }
        #expect(values.count > 40)
        let path = try folder.write(ValueFile(values).text, to: "fanfare.yaml")
        let broker = try await RunningBroker("--config", path, "--database", folder.path("fanfare.db"))
        if largest {
            let subscriber = try await broker.subscriber(to: "/a/**", count: 1)
            #expect(try await broker.cli("publish", "/a/b", "1").status == 0)
            #expect(try await subscriber.line().contains("/a/b"))
            #expect(try await subscriber.end().status == 0)
            // What is kept is read again within bounds that are none.
            #expect(
                try await broker.cli("subscribe", "/a/**", "--all", "--until-end", "--idle", "3").output.contains(
                    "/a/b"))
        }
        #expect(try await broker.stop().status == 0)
    }

    /// Another good value for each key that a reload may find changed.
    static func other(_ key: Key) -> String? {
        let own = [
            "listen": "[127.0.0.1:1]", "log-level": "error", "log-format": "text", "channel-grammar": "cometd",
            "page": "false", "callback-polling": "false", "metrics": "off", "trusted-header": "forwarded",
            "auth.publish": "nobody", "auth.subscribe": "nobody", "rates.loopback": "true", "endpoint": "/other",
            "database": "/nowhere/fanfare.db", "threads": "7", "compression-bytes": "7", "limits.json-depth": "7",
            "limits.proxy-header-bytes": "777",
        ]
        if let value = own[key.name] { return value }
        switch key.type {
        case "time": return "777s"
        case "time, or 0": return "7s"
        case "rate, or off": return "777/m"
        case "rate of time, or off": return "7ms/s"
        case "rate of bytes, or off": return "777/m"
        case "list of origin": return "[https://other.example]"
        case "list of host": return "[other.example]"
        case "list of text": return "[other]"
        case "list of address, range, or unix": return "[192.0.2.7]"
        case _ where key.type.hasPrefix("a number from ") || key.type.hasPrefix("bytes from "): return "777"
        default: return nil
        }
    }

    /// One that nobody uses: it is read, and no more.
    private static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBPjCB8aADAgECAhRt83mgkVVtRcNCT6htrwdJGWmJJjAFBgMrZXAwFDESMBAG
        A1UEAwwJYXV0aG9yaXR5MCAXDTI2MTEyNjE1MzI1OVoYDzIxMjYxMTAyMTUzMjU5
        WjAUMRIwEAYDVQQDDAlhdXRob3JpdHkwKjAFBgMrZXADIQCzkqb/J1iDFQrkBc4+
        9Oy+3eU0Unr9Bl3I6mFkwVkyZaNTMFEwHQYDVR0OBBYEFKIaWaxvw51h2XbaV/hc
        BMgspvKtMB8GA1UdIwQYMBaAFKIaWaxvw51h2XbaV/hcBMgspvKtMA8GA1UdEwEB
        /wQFMAMBAf8wBQYDK2VwA0EAn+Ym/U9gB2x6NoGP61Bc+kVFlzy8GKBsXLtyWDr6
        c2Ks29JraM879oh0DBCFqciouI35APoaRlOiKU8LftetCQ==
        -----END CERTIFICATE-----
        """

    @Test("A reload applies what is live, and says of all else that it needs a restart")
    func reload() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("", to: "fanfare.yaml")
        let database = folder.path("fanfare.db")
        let secret = try folder.write(String(repeating: "0", count: 64), to: "secret")
        let authority = try folder.write(Self.certificate, to: "authority.pem")
        // Both are given by flags, which win over the file.
        let broker = try await RunningBroker("--config", path, "--database", database)
        let keys = try await Key.all().filter { key in
            let isElsewhere = ["channels.", "listeners[].", "tls."].contains { key.name.hasPrefix($0) }
            return !isElsewhere && !["listen", "database"].contains(key.name)
        }
        var groups: [String: [String]] = [:]
        for key in keys {
            let file = ["auth.keys": "[\(secret)]", "auth.key-set-authority": authority]
            let value = try #require(
                file[key.name] ?? Self.other(key), "There is no other value for \(key.name): \(key.type)")
            let parts = key.name.split(separator: ".").map(String.init)
            groups[parts.count == 2 ? parts[0] : "", default: []].append("\(parts[parts.count - 1]): \(value)")
        }
        let text = groups.sorted { $0.key < $1.key }.map { group, lines in
            group.isEmpty ? lines.joined(separator: "\n") : "\(group):\n  " + lines.joined(separator: "\n  ")
        }
        _ = try folder.write(text.joined(separator: "\n") + "\n", to: "fanfare.yaml")
        let ending = try await Program.run("broker-server", "reload", "--database", database)
        #expect(ending.status == 0, "\(ending.errors)")
        let halves = ending.output.trimmingCharacters(in: .newlines).components(separatedBy: "; ")
        try #require(halves.count == 2, "\(ending.output)")
        func names(_ half: String) -> Set<String> {
            Set(half.drop { $0 != ":" }.dropFirst(2).components(separatedBy: ", "))
        }
        #expect(names(halves[0]) == Set(keys.filter(\.isLive).map(\.name)))
        #expect(names(halves[1]) == Set(keys.filter { !$0.isLive }.map(\.name)))
        // What is applied holds: the same file has nothing new.
        let again = try await Program.run("broker-server", "reload", "--database", database)
        #expect(again.output == "0 applied; \(halves[1])\n")
        #expect(!broker.program.errors.contains("configuration reloaded"), "log-level is error")
        try await expectOtherAccess(at: broker, secret: secret)
        try await broker.stop()
    }

    /// Asks a broker that has the other values who may do what.
    private func expectOtherAccess(at broker: RunningBroker, secret: String) async throws {
        func answer(_ path: String, _ options: [String]) async throws -> String {
            try await Program("/usr/bin/env", ["curl", "-s", "-i"] + options + [broker.url + path]).end().output
        }
        func field(_ issuer: String, _ audience: String, _ lifetime: String) async throws -> String {
            let made = try await Program.run(
                "broker-server", "token", "--subject", "alice", "--admin", "--key", secret, "--issuer", issuer,
                "--audience", audience, "--expires", lifetime)
            return "Authorization: Bearer " + made.output.trimmingCharacters(in: .newlines)
        }
        #expect(try await answer("/health/live", ["-H", "Host: other.example"]).hasPrefix("HTTP/1.1 200 "))
        // Nobody may do anything, and a good token is told so.
        let good = try await field("other", "other", "700s")
        let allowed = "Access-Control-Allow-Origin: https://other.example"
        for options in [["-d", "1"], []] {
            let headers = ["-H", "Origin: https://other.example", "-H", good]
            let text = try await answer("/channels/a", headers + options)
            #expect(text.hasPrefix("HTTP/1.1 403 ") && text.contains(allowed), "\(text)")
        }
        // auth.issuers, auth.audiences, auth.lifetime
        for bad in [("one", "other", "700s"), ("other", "one", "700s"), ("other", "other", "1h")] {
            let text = try await answer("/channels/a", ["-H", try await field(bad.0, bad.1, bad.2), "-d", "1"])
            #expect(text.hasPrefix("HTTP/1.1 401 "), "\(bad): \(text)")
        }
    }
}

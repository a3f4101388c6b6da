import Testing

@testable import BrokerFront

/// Which pages are let in.
struct OriginPolicyTests {
    struct Row: CustomTestStringConvertible, Sendable {
        var testDescription: String { "\(origin ?? "none") at \(host ?? "no host"), loopback \(loopback)" }
        let origin: String?
        var host: String? = "broker.test:8000"
        var allowed = ["https://app.example", "http://LISTED.example:81"]
        var loopback = false
        let isAllowed: Bool
    }
    static let rows = [
        Row(origin: nil, isAllowed: true),
        Row(origin: nil, host: nil, isAllowed: true),
        Row(origin: "http://broker.test:8000", isAllowed: true),
        Row(origin: "https://broker.test:8000", isAllowed: true),
        Row(origin: "HTTP://Broker.TEST:8000", isAllowed: true),
        Row(origin: "http://broker.test", isAllowed: false),
        Row(origin: "http://broker.test:80000", isAllowed: false),
        Row(origin: "http://broker.test:8000.evil.example", isAllowed: false),
        Row(origin: "ftp://broker.test:8000", isAllowed: false),
        Row(origin: "http://broker.test:8000", host: nil, isAllowed: false),
        Row(origin: "https://app.example", isAllowed: true),
        Row(origin: "https://APP.example", isAllowed: true),
        Row(origin: "http://app.example", isAllowed: false),
        Row(origin: "https://app.example:444", isAllowed: false),
        Row(origin: "https://app.example.evil", isAllowed: false),
        // The port that goes without saying.
        Row(origin: "https://app.example:443", isAllowed: true),
        Row(origin: "https://app.example:80", isAllowed: false),
        Row(origin: "http://app.example:443", isAllowed: false),
        Row(origin: "https://app.example:4430", isAllowed: false),
        Row(origin: "https://x.example", allowed: ["https://X.example:443"], isAllowed: true),
        Row(origin: "http://x.example", allowed: ["http://x.example:80"], isAllowed: true),
        Row(origin: "http://x.example", allowed: ["https://x.example:443"], isAllowed: false),
        Row(origin: "https://broker.test", host: "broker.test:443", isAllowed: true),
        Row(origin: "http://broker.test", host: "broker.test:443", isAllowed: false),
        Row(origin: "http://listed.example:81", isAllowed: true),
        Row(origin: "null", isAllowed: false),
        Row(origin: "", isAllowed: false),
        Row(origin: "null", allowed: ["*"], isAllowed: true),
        Row(origin: "https://any.example", allowed: ["*"], isAllowed: true),
        Row(origin: "http://localhost:3000", isAllowed: false),
        Row(origin: "http://localhost:3000", loopback: true, isAllowed: true),
        Row(origin: "https://localhost", loopback: true, isAllowed: true),
        Row(origin: "http://127.0.0.1:3000", loopback: true, isAllowed: true),
        Row(origin: "http://127.9.9.9", loopback: true, isAllowed: true),
        Row(origin: "http://[::1]:3000", loopback: true, isAllowed: true),
        Row(origin: "http://localhost.evil.example", loopback: true, isAllowed: false),
        Row(origin: "http://127.0.0.1.evil.example", loopback: true, isAllowed: false),
        Row(origin: "http://127.0.0.1@evil.example", loopback: true, isAllowed: false),
        Row(origin: "http://127.evil", loopback: true, isAllowed: false),
        Row(origin: "http://10.0.0.1", loopback: true, isAllowed: false),
        Row(origin: "null", loopback: true, isAllowed: false),
        Row(origin: "file://", loopback: true, isAllowed: false),
        // What could not be repeated in the answer.
        Row(origin: "http://a\r\nX: b", host: "a\r\nX: b", isAllowed: false),
        Row(origin: "http://a\0", host: "a\0", isAllowed: false),
        Row(origin: "https://any.example\n", allowed: ["*"], isAllowed: false),
        Row(origin: "https://any example", allowed: ["*"], isAllowed: false),
        // A sign of Kelvin, whose small letter is an ASCII k.
        Row(origin: "http://bro\u{212A}er.test:8000", isAllowed: false),
    ]

    @Test(arguments: rows)
    func decision(row: Row) {
        let policy = OriginPolicy(allowed: row.allowed, allowsLoopback: row.loopback)
        #expect(policy.allows(origin: row.origin, host: row.host) == row.isAllowed)
    }

    struct Script: CustomTestStringConvertible, Sendable {
        var testDescription: String { "\(referer ?? "hidden"), \(site ?? "silent")" }
        var referer: String?
        var site: String?
        let isAllowed: Bool
    }
    static let scripts = [
        // Over plain HTTP browsers tell loopback only: a page that hides itself elsewhere looks like this.
        Script(isAllowed: false),
        Script(site: "none", isAllowed: true),
        Script(site: "same-origin", isAllowed: true),
        Script(site: "same-site", isAllowed: false),
        Script(site: "cross-site", isAllowed: false),
        Script(site: "anything", isAllowed: false),
        Script(referer: "", isAllowed: false),
        Script(referer: "", site: "none", isAllowed: true),
        Script(referer: "", site: "cross-site", isAllowed: false),
        Script(referer: "https://app.example", isAllowed: true),
        Script(referer: "https://app.example/", site: "cross-site", isAllowed: true),
        Script(referer: "https://app.example/a?b#c", isAllowed: true),
        Script(referer: "https://app.example?a", isAllowed: true),
        Script(referer: "HTTPS://App.Example/A", isAllowed: true),
        Script(referer: "http://broker.test:8000/page", isAllowed: true),
        // A proxy has changed the host, but the browser knows.
        Script(referer: "https://public.example/page", site: "same-origin", isAllowed: true),
        Script(referer: "https://evil.example/https://app.example/", isAllowed: false),
        Script(referer: "https://app.example.evil/", isAllowed: false),
        Script(referer: "https://app.example:444/", isAllowed: false),
        Script(referer: "https://app.example@evil.example/", isAllowed: false),
        Script(referer: "app.example", isAllowed: false),
        Script(referer: "://", isAllowed: false),
        Script(referer: "https://", isAllowed: false),
        Script(referer: "android-app://com.example/", isAllowed: false),
    ]

    /// What a script element asks for: `Referer` and `Sec-Fetch-Site` take the place of `Origin`.
    @Test(arguments: scripts)
    func script(row: Script) {
        let policy = OriginPolicy(allowed: ["https://app.example"], allowsLoopback: false)
        #expect(
            policy.allowsScript(of: row.referer, fetchSite: row.site, host: "broker.test:8000") == row.isAllowed)
        let open = OriginPolicy(allowed: ["*"], allowsLoopback: false)
        #expect(open.allowsScript(of: row.referer, fetchSite: row.site, host: nil))
    }

    /// A broker that listens on all addresses does not let pages of its own machine in either.
    @Test(arguments: [("127.0.0.1", true), ("::1", true), ("0.0.0.0", false), ("::", false), ("10.0.0.1", false)])
    func configuration(host: String, isLoopbackOnly: Bool) {
        var configuration = BrokerConfiguration()
        configuration.host = host
        #expect(configuration.isLoopbackOnly == isLoopbackOnly)
    }
}

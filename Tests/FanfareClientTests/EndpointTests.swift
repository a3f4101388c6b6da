import Driver
import FanfareClient
import Testing

/// Where a broker is, as people write it.
@Suite("Endpoints")
struct EndpointTests {
    @Test(
        "Sockets",
        arguments: [
            ("unix:/run/fanfare.sock", "/run/fanfare.sock", "/bayeux"), ("UNIX:/s:/push", "/s", "/push"),
            ("unix:/a:b/s:/push?a=b", "/a:b/s", "/push?a=b"),
        ])
    func sockets(text: String, path: String, target: String) throws {
        let endpoint = try Endpoint(text)
        #expect(endpoint.socketPath == path)
        #expect(endpoint.target == target)
        #expect(endpoint.description == text)
        #expect(endpoint.origin == "http://localhost" && !endpoint.isSecure)
        let proxies = ProxySettings(plain: try .init("http://proxy.example"), secure: try .init("http://proxy.example"))
        #expect(proxies.proxy(for: endpoint) == nil)
    }

    @Test("URLs")
    func urls() throws {
        let endpoint = try Endpoint("https://push.example:8443/bayeux")
        #expect(endpoint.socketPath == nil)
        #expect(endpoint.target == "/bayeux")
        #expect(endpoint.origin == "https://push.example:8443" && endpoint.isSecure)
    }

    @Test(
        "Neither",
        arguments: [
            "unix:", "unix:run", "unix://run/s", "unix:/s:/push#a", "unix:/" + String(repeating: "x", count: 104),
            "/run/s",
            "ftp://push.example/",
        ])
    func neither(text: String) {
        #expect(throws: Endpoint.Invalid.self) { try Endpoint(text) }
    }
}

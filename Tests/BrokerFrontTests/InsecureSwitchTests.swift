import BrokerCore
import BrokerFront
import Testing

/// What is said of switches that let in more than they should.
struct InsecureSwitchTests {
    @Test
    func nothingIsSaidOfTheDefaults() {
        #expect(BrokerConfiguration().warnings.isEmpty)
        var open = BrokerConfiguration()
        open.host = "0.0.0.0"
        #expect(open.warnings.isEmpty)
    }

    @Test
    func eachHasItsLine() throws {
        var configuration = BrokerConfiguration()
        configuration.allowedOrigins = ["*"]
        configuration.allowedHosts = ["*"]
        var file = ListenerOptions(.unix(path: "/run/s"))
        file.permissions.mode = 0o666
        configuration.listeners.append(file)
        configuration.trust.ranges = try ["0.0.0.0/0", "10.0.0.0/8", "::/0"].map { try #require(AddressRange($0)) }
        #expect(
            configuration.warnings.map { $0.prefix { $0 != ":" } }
                == ["allow-origin", "allow-host", "trusted-proxies", "trusted-proxies", "unix"])

        var open = BrokerConfiguration()
        open.listeners = [ListenerOptions(.tcp(host: "0.0.0.0", port: 80), name: "public")]
        open.metrics = .all
        open.access.publish = .everyone
        open.access.keySources = ["keys.pem", "http://login.example/keys", "http://127.0.0.1:1/keys"].compactMap(
            TokenKeySource.init)
        #expect(
            open.warnings == [
                "auth.keys: http://login.example/keys has no TLS: whoever is on the way can give the broker keys",
                "metrics: all shows them to everybody who reaches 0.0.0.0:80 (listener public)",
                "auth.publish: everyone lets everybody who reaches 0.0.0.0:80 (listener public) publish",
                "0.0.0.0:80 (listener public) takes tokens without TLS: whoever is on the way can read them",
            ])
        // A proxy on the way has the certificate.
        open.listeners[0].isTrusted = true
        open.listeners[0].servesMetrics = false
        open.access.publish = nil
        open.access.keySources.removeLast(2)
        #expect(open.warnings.isEmpty)
    }
    /// Each line names the listeners that it is about, and no other one.
    @Test
    func severalListeners() {
        var configuration = BrokerConfiguration()
        var plain = ListenerOptions(.tcp(host: "0.0.0.0", port: 80), name: "public")
        plain.servesMetrics = false
        var secure = ListenerOptions(.tcp(host: "0.0.0.0", port: 443), name: "secure", tls: TLSFiles())
        secure.servesMetrics = true
        let local = ListenerOptions(.tcp(host: "127.0.0.1", port: 81), name: "local")
        configuration.listeners = [local, plain, secure]
        configuration.metrics = .all
        configuration.access.publish = .everyone
        configuration.access.keySources = [TokenKeySource(file: "keys.pem")]
        #expect(
            configuration.warnings == [
                "metrics: all shows them to everybody who reaches 0.0.0.0:443 (listener secure)",
                "auth.publish: everyone lets everybody who reaches 0.0.0.0:80 (listener public) "
                    + "or 0.0.0.0:443 (listener secure) publish",
                "0.0.0.0:80 (listener public) takes tokens without TLS: whoever is on the way can read them",
            ])
    }
}

import Driver
import Support
import Testing

/// Tunnels through HTTP proxies.
@Suite struct ProxyConnectTests {
    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    /// A tunnel that waits for the proxy's answer.
    private static func started(_ url: String = "ws://server.example.com/chat") throws -> Tunnel {
        let tunnel = try Tunnel(url)
        _ = tunnel.start()
        return tunnel
    }

    /// `#expect` copies what it looks at, so the tunnel is wrapped.
    private final class Tunnel {
        private var connect: ProxyConnect

        init(_ url: String, proxy: String = "http://proxy:3128", _ options: DriverOptions = .init()) throws {
            connect = ProxyConnect(to: try WebSocketURL(url), through: try ProxyURL(proxy), options: options, now: 0)
        }

        func setHeader(_ name: String, _ value: String) -> Bool { connect.setHeader(name, value) }
        func start() -> [UInt8] { connect.start() }
        func receive(_ bytes: [UInt8]) -> ProxyConnect.Outcome { connect.receive(bytes.span.bytes) }
        func receive(_ text: String) -> ProxyConnect.Outcome { receive(Array(text.utf8)) }
        func receiveEnd() -> ProxyConnect.Outcome { connect.receiveEnd() }
        func advance(to now: UInt64) -> ProxyConnect.Outcome { connect.advance(to: now) }
        var nextDeadline: UInt64? { connect.nextDeadline }
        var status: Int? { connect.status }
        var responseHeaders: HeaderFields? { connect.responseHeaders }
    }

    struct RequestRow: Sendable {
        var url: String
        var proxy = "http://proxy"
        var authority: String
        var authorization = ""
    }

    static let requests = [
        RequestRow(url: "ws://a.b", authority: "a.b:80"),
        RequestRow(url: "wss://a.b/x", authority: "a.b:443"),
        RequestRow(url: "ws://a.b:8000/x?y", authority: "a.b:8000"),
        RequestRow(url: "wss://[::1]:9/", authority: "[::1]:9"),
        RequestRow(url: "ws://[fe80::1]", authority: "[fe80::1]:80"),
        // The server's credentials are not the proxy's.
        RequestRow(url: "ws://me:secret@a.b", authority: "a.b:80"),
        RequestRow(
            url: "ws://a.b", proxy: "https://user:p%40ss@proxy:1/", authority: "a.b:80",
            authorization: "Proxy-Authorization: Basic dXNlcjpwQHNz\r\n"),
    ]

    @Test(arguments: requests) func `asks for a tunnel`(row: RequestRow) throws {
        let tunnel = try Tunnel(row.url, proxy: row.proxy)
        let request = """
            CONNECT \(row.authority) HTTP/1.1\r
            Host: \(row.authority)\r
            Connection: keep-alive\r
            Proxy-Connection: keep-alive\r
            \(row.authorization)\r

            """
        #expect(Self.text(tunnel.start()) == request)
        #expect(tunnel.start().isEmpty)
    }

    @Test func `takes header fields, but none that could break out`() throws {
        let tunnel = try Tunnel("ws://a.b", proxy: "http://u:p@proxy")
        #expect(tunnel.setHeader("User-Agent", "me"))
        #expect(tunnel.setHeader("Proxy-Authorization", "Bearer x"))
        #expect(!tunnel.setHeader("X", "a\r\nb: c"))
        #expect(!tunnel.setHeader("X\n", "a"))
        #expect(!tunnel.setHeader("Host", "c.d"))
        #expect(!tunnel.setHeader("Proxy-Connection", "close"))
        let request = Self.text(tunnel.start())
        #expect(request.hasSuffix("\r\nUser-Agent: me\r\nProxy-Authorization: Bearer x\r\n\r\n"))
        #expect(!request.contains("Basic"))
        #expect(!tunnel.setHeader("X", "late"))
    }

    @Test(arguments: ["", "\u{1}\u{2}tail\r\n\r\n"]) func `opens, however the answer is cut`(tail: String) throws {
        let answer = "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n"
        for chunks in cuts(of: Array((answer + tail).utf8)) {
            let tunnel = try Self.started()
            var surplus: [UInt8]?
            for chunk in chunks {
                if surplus != nil {
                    // From here on the bytes are the tunnel's.
                    surplus? += chunk
                    continue
                }
                if case .connected(let rest) = tunnel.receive(chunk) { surplus = rest }
            }
            #expect(surplus == Array(tail.utf8))
            #expect(tunnel.status == 200)
            #expect(tunnel.responseHeaders?.first("Via") == "x")
            #expect(tunnel.nextDeadline == nil)
        }
    }

    @Test(arguments: ["HTTP/1.0 200", "HTTP/1.1 204 No Content", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"])
    func `other ways to say yes`(status: String) throws {
        #expect(try Self.started().receive(status + "\r\n\r\n") == .connected(surplus: []))
    }

    @Test func `a refusal tells status and fields`() throws {
        let answer = "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 4\r\n\r\nbody"
        for chunks in cuts(of: Array(answer.utf8)) {
            let tunnel = try Self.started("wss://me:secret@a.b:99/chat?x")
            let outcomes = chunks.map { tunnel.receive($0) }.filter { $0 != .pending }
            guard case .failed(let failure)? = outcomes.first else {
                Issue.record("\(outcomes)")
                continue
            }
            #expect(failure.description == "Can't establish a connection to the server at wss://a.b:99/chat?x")
            #expect(failure.reason == "the proxy has answered with status 407")
            #expect(tunnel.status == 407)
            #expect(tunnel.responseHeaders?.first("Proxy-Authenticate") == "Basic realm=\"x\"")
        }
    }

    struct FaultRow: Sendable {
        var answer: String
        var reason: String
    }

    static let faults = [
        FaultRow(answer: "\u{16}\u{3}", reason: "the proxy's answer cannot be read: Invalid HTTP request"),
        FaultRow(answer: "HTTP/1.1 2000 OK\r\n\r\n", reason: "the proxy's answer is not HTTP"),
        FaultRow(answer: "ICY 200 OK\r\n\r\n", reason: "the proxy's answer is not HTTP"),
        FaultRow(answer: "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", reason: "the proxy's answer is not HTTP"),
        FaultRow(answer: "HTTP/1.1 302 Found\r\n\r\n", reason: "the proxy has answered with status 302"),
        FaultRow(
            answer: "HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 502 x\r\n\r\n",
            reason: "the proxy has answered with status 502"),
    ]

    @Test(arguments: faults) func `no tunnel`(row: FaultRow) throws {
        guard case .failed(let failure) = try Self.started().receive(row.answer) else { return #expect(Bool(false)) }
        #expect(failure.reason == row.reason)
    }

    @Test func `a head without end is refused`() throws {
        let tunnel = try Tunnel("ws://a.b", DriverOptions(maximumHeadBytes: 100))
        _ = tunnel.start()
        #expect(tunnel.receive("HTTP/1.1 200 OK\r\n") == .pending)
        guard case .failed = tunnel.receive(String(repeating: "a", count: 100)) else { return #expect(Bool(false)) }
    }

    @Test func `the end of the stream and of the time`() throws {
        guard case .failed(let end) = try Self.started().receiveEnd() else { return #expect(Bool(false)) }
        #expect(end.reason == "the proxy has closed the connection")
        let tunnel = try Self.started()
        #expect(tunnel.nextDeadline == 10_000_000_000)
        #expect(tunnel.advance(to: 9_999_999_999) == .pending)
        guard case .failed(let late) = tunnel.advance(to: 10_000_000_000) else { return #expect(Bool(false)) }
        #expect(late.reason == "the proxy has not answered in time")
        #expect(tunnel.nextDeadline == nil)
        guard case .failed = tunnel.receive("HTTP/1.1 200 OK\r\n\r\n") else { return #expect(Bool(false)) }
    }

    @Test(arguments: [
        "", "proxy:80", "ftp://proxy", "http://", "http://a b", "http://a:0", "http://a:b@", "http://u%zz@a",
    ])
    func `no URL of a proxy`(text: String) {
        #expect(throws: ProxyURL.Invalid.self) { try ProxyURL(text) }
    }

    @Test func `client and server through a tunnel`() throws {
        let tunnel = try Self.started()
        let (client, server) = (try ClientEnd(), ServerEnd())
        client.start()
        server.receive(client.takeOutput())
        server.start()
        #expect(server.send("hello"))
        let answer = Array("HTTP/1.1 200 OK\r\n\r\n".utf8) + server.takeOutput()
        guard case .connected(let surplus) = tunnel.receive(answer) else { return #expect(Bool(false)) }
        client.receive(surplus)
        #expect(client.takeEvents() == [.open, .text("hello")])
    }
}

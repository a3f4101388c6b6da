/// The way through an HTTP proxy: asks it for a tunnel to a WebSocket server (RFC 9110 §9.3.6), without I/O.
///
/// The owner connects to the proxy, writes what `start` gives, feeds what it reads to `receive`, and when that says
/// `connected` goes on over the same connection: TLS for `wss:`, then a ``ClientDriver``, whose first input is the
/// surplus. A refusal ends it: the owner closes the connection. Time comes in as for a driver.
public struct ProxyConnect: ~Copyable {
    /// What the owner does next.
    public enum Outcome: Equatable, Sendable {
        /// Read on.
        case pending
        /// The tunnel stands. `surplus` are bytes of its other end that came with the proxy's answer.
        case connected(surplus: [UInt8])
        /// There will be no tunnel.
        case failed(Failure)
    }

    /// Why there is no tunnel; the same text as for any server that cannot be reached.
    public struct Failure: Error, Equatable, Sendable, CustomStringConvertible {
        /// One line for people; of the server's URL the user information is left out.
        public let description: String
        /// What was wrong, as far as is known.
        public let reason: String

        init(_ url: WebSocketURL, _ reason: String) {
            description = "Can't establish a connection to the server at \(url.redacted)"
            self.reason = reason
        }
    }

    private enum Phase {
        case idle
        case readingHead
        case over
    }

    private let url: WebSocketURL
    private let options: DriverOptions
    private let credentials: String?
    private let deadline: UInt64
    private var headers = HandshakeHeaders()
    private var reader: HTTPHeadReader
    private var phase = Phase.idle

    /// The status of the proxy's answer, also of a refusal.
    public private(set) var status: Int?
    /// The header fields of the proxy's answer, such as `Proxy-Authenticate`.
    public private(set) var responseHeaders: HeaderFields?

    /// A tunnel through `proxy` to the server of `url`; `now` starts the time for the handshake.
    public init(to url: WebSocketURL, through proxy: ProxyURL, options: DriverOptions = .init(), now: UInt64 = 0) {
        self.url = url
        self.options = options
        credentials = proxy.basicCredentials
        deadline = options.handshakeTimeout.deadline(after: now)
        reader = Self.makeReader(options)
    }

    private static func makeReader(_ options: DriverOptions) -> HTTPHeadReader {
        HTTPHeadReader(maximumBytes: options.maximumHeadBytes, maximumHeaderCount: options.maximumHeaderCount)
    }
}

extension ProxyConnect {
    /// Adds a header field to the request. False after `start`, if the name is no token or one that is written anyway,
    /// or if the value has control or non-ASCII characters. `Proxy-Authorization` replaces what the proxy's URL says.
    @discardableResult
    public mutating func setHeader(_ name: String, _ value: String) -> Bool {
        guard phase == .idle, name.lowercased() != "proxy-connection" else { return false }
        return headers.set(name, value)
    }

    /// The request to write to the proxy; nothing when it was given before.
    public mutating func start() -> [UInt8] {
        guard phase == .idle else { return [] }
        phase = .readingHead
        var text = "CONNECT \(url.hostAndPort) HTTP/1.1\r\nHost: \(url.hostAndPort)\r\n"
        text += "Connection: keep-alive\r\nProxy-Connection: keep-alive\r\n"
        if let credentials, headers.fields.first("Proxy-Authorization") == nil {
            text += "Proxy-Authorization: Basic \(credentials)\r\n"
        }
        return Array((text + headers.lines + "\r\n").utf8)
    }

    /// Takes what was read from the proxy. Not called again once it was `connected` or `failed`.
    public mutating func receive(_ bytes: RawSpan) -> Outcome {
        guard phase == .readingHead else { return phase == .over ? fail("the tunnel was decided before") : .pending }
        return bytes.withUnsafeBytes { input in
            var offset = 0
            while offset < input.count {
                do throws(ProtocolViolation) {
                    guard try reader.read(input, &offset) else { break }
                } catch {
                    return fail("the proxy's answer cannot be read: \(error.message)")
                }
                guard let response = HTTPHeadParser.parseResponse(reader.bytes) else {
                    return fail("the proxy's answer is not HTTP")
                }
                // 1xx only says that the answer is to come (RFC 9110 §15.2).
                if 100..<200 ~= response.status {
                    reader = Self.makeReader(options)
                    continue
                }
                return decide(response, surplus: Array(input[offset...]))
            }
            return .pending
        }
    }

    /// The proxy's stream ended.
    public mutating func receiveEnd() -> Outcome {
        fail("the proxy has closed the connection")
    }

    /// When `advance` has something to do, `nil` for never.
    public var nextDeadline: UInt64? { phase == .over ? nil : deadline }

    /// Gives up if the time is over at `now`.
    public mutating func advance(to now: UInt64) -> Outcome {
        guard phase != .over, deadline <= now else { return .pending }
        return fail("the proxy has not answered in time")
    }

    private mutating func decide(_ response: ResponseHead, surplus: [UInt8]) -> Outcome {
        status = response.status
        responseHeaders = response.headers
        // Any 2xx means success, and has no body (RFC 9110 §9.3.6).
        guard 200..<300 ~= response.status else { return fail("the proxy has answered with status \(response.status)") }
        phase = .over
        return .connected(surplus: surplus)
    }

    private mutating func fail(_ reason: String) -> Outcome {
        phase = .over
        return .failed(Failure(url, reason))
    }
}

/// The URL of an HTTP proxy: `http:` or `https:`, with user information if it asks for a password.
public struct ProxyURL: Sendable, Equatable {
    /// Whether the connection to the proxy itself is TLS (`https:`).
    public let isSecure: Bool
    /// The host to connect to: a name, an IPv4 address, or an IPv6 address without its brackets.
    public let host: String
    /// The port to connect to; 80 or 443 if the URL has none.
    public let port: UInt16
    /// The host and the port as one writes them, an IPv6 address with its brackets.
    public let hostAndPort: String
    /// `user:password` of the URL, its percent-escapes decoded, in Base64 for `Proxy-Authorization: Basic`.
    public let basicCredentials: String?

    /// A text that is no URL of a proxy.
    public struct Invalid: Error, Equatable, Sendable, CustomStringConvertible {
        /// The text.
        public let text: String

        /// One line for people.
        public var description: String { "\(text) is not a valid proxy URL" }
    }

    /// Takes a URL apart. A path, if any, means nothing; other schemes, blanks, and anything that is not printable
    /// ASCII are refused.
    public init(_ text: String) throws(Invalid) {
        let invalid = Invalid(text: text)
        guard text.utf8.allSatisfy({ 0x21...0x7E ~= $0 }), let scheme = text.firstRange(of: "://") else {
            throw invalid
        }
        switch text[..<scheme.lowerBound].lowercased() {
        case "http": isSecure = false
        case "https": isSecure = true
        default: throw invalid
        }
        let location = text[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard let authority = URLAuthority(location, defaultPort: isSecure ? 443 : 80) else { throw invalid }
        host = authority.host
        port = authority.port
        hostAndPort = authority.hostAndPort
        basicCredentials = authority.basicCredentials
    }
}

import Driver
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// The broker's plain HTTP: one request at a time, over a connection that is kept. Used by one task.
public final class HTTPConnection {
    /// An answer.
    public struct Answer: Sendable {
        /// The status, such as 200.
        public let status: Int
        /// The header fields.
        public let headers: [(name: String, value: String)]
        /// The body.
        public let body: [UInt8]

        /// The first field of a name, whatever its case.
        public func header(_ name: String) -> String? {
            headers.first { $0.name.lowercased() == name.lowercased() }?.value
        }
    }

    /// What the broker, or what stands before it, has shown of itself in the TLS handshake.
    public struct Certificate: Sendable {
        /// It is not valid before that; in seconds since 1970.
        public let notBefore: Int64
        /// It is not valid behind that; in seconds since 1970.
        public let notAfter: Int64
    }

    private let configuration: ClientConfiguration
    private let dialer: Dialer
    private let loop: any EventLoop
    private var channel: (any Channel)?

    /// A connection, not yet made. Throws ``ClientError`` when a file of certificates or keys cannot be read.
    public init(_ configuration: ClientConfiguration) throws(ClientError) {
        self.configuration = configuration
        dialer = try Dialer(configuration)
        loop = MultiThreadedEventLoopGroup.singleton.next()
    }

    /// The path of a channel's resource, beside the endpoint: `/channels/chat/room-1`.
    public static func path(of channel: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var path = Array("/channels".utf8)
        for byte in channel.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: "."), UInt8(ascii: "~"):
                path.append(byte)
            default: path += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: path, as: UTF8.self)
    }

    /// Sends a request and returns its answer, whatever the status. `path` begins with `/` and lies beside the endpoint.
    /// With `readsToEnd` false the first bytes of the body suffice, and the connection is closed: for streams. Throws
    /// ``ClientError`` when no answer came: whether the broker took the request is then not known.
    public func send(
        _ method: String, _ path: String, headers: [(String, String)] = [], body: [UInt8] = [],
        readsToEnd: Bool = true, timeout: Duration = .seconds(30)
    ) async throws -> Answer {
        let channel: any Channel
        if let open = self.channel, open.isActive {
            channel = open
        } else {
            channel = try await dial()
            self.channel = channel
        }
        let answer = loop.makePromise(of: Answer.self)
        let url = configuration.endpoint.url
        let base = url.target.prefix { $0 != "?" }
        let folder = base.lastIndex(of: "/").map { base[..<$0] } ?? ""
        var head = HTTPRequestHead(version: .http1_1, method: HTTPMethod(rawValue: method), uri: folder + path)
        head.headers.add(name: "Host", value: url.authority)
        head.headers.add(name: "Content-Length", value: "\(body.count)")
        if let token = configuration.token { head.headers.add(name: "Authorization", value: "Bearer \(token)") }
        for (name, value) in headers { head.headers.add(name: name, value: value) }
        let timer = loop.scheduleTask(in: .nanoseconds(timeout.nanoseconds)) {
            answer.fail(ClientError(.unreachable, "the broker has not answered in time"))
            channel.close(promise: nil)
        }
        channel.triggerUserOutboundEvent(
            AnswerHandler.Expectation(answer: answer, readsToEnd: readsToEnd), promise: nil)
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        if !body.isEmpty {
            channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
        }
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        defer { timer.cancel() }
        return try await answer.futureResult.get()
    }

    private func dial() async throws -> any Channel {
        do {
            return try await dialer.dial(on: loop) { channel in
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                try channel.pipeline.syncOperations.addHandler(AnswerHandler())
            }.get()
        } catch {
            throw Dialer.failure(of: error)
        }
    }

    /// The certificate on the open connection, once something was answered; nil without TLS.
    public func certificate() async -> Certificate? {
        guard let channel, let shown = try? await channel.nioSSL_peerCertificate().get() else { return nil }
        return Certificate(notBefore: Int64(shown.notValidBefore), notAfter: Int64(shown.notValidAfter))
    }

    /// Closes the connection.
    public func close() async {
        try? await channel?.close()
        channel = nil
    }
}

/// Puts an answer together.
private final class AnswerHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = HTTPClientRequestPart

    /// Who waits for the next answer.
    struct Expectation: Sendable {
        let answer: EventLoopPromise<HTTPConnection.Answer>
        let readsToEnd: Bool
    }
    /// More than any answer of a broker.
    private static let maximumBytes = 256 << 20

    private var expected: Expectation?
    private var head: HTTPResponseHead?
    private var body = ByteBuffer()

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard let expectation = event as? Expectation else {
            return context.triggerUserOutboundEvent(event, promise: promise)
        }
        expected = expectation
        if !context.channel.isActive { fail(ClientError(.unreachable, "the connection was closed")) }
        promise?.succeed()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body.clear()
        case .body(var part):
            body.writeBuffer(&part)
            if body.readableBytes > Self.maximumBytes { context.close(promise: nil) }
            guard let head, expected?.readsToEnd == false else { return }
            succeed(head)
            context.close(promise: nil)
        case .end:
            guard let head else { return }
            succeed(head)
            if !head.isKeepAlive { context.close(promise: nil) }
        }
    }

    private func succeed(_ head: HTTPResponseHead) {
        expected?.answer.succeed(
            HTTPConnection.Answer(
                status: Int(head.status.code), headers: head.headers.map { ($0.name, $0.value) },
                body: Array(body.readableBytesView)))
        expected = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(ClientError(.unreachable, "the connection was closed"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(Dialer.loss(by: error))
        context.close(promise: nil)
    }

    private func fail(_ error: ClientError) {
        expected?.answer.fail(error)
        expected = nil
    }
}

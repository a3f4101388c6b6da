import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A small HTTP server on this machine that answers every request alike, until it is told to answer otherwise.
final class KeyServer: Sendable {
    /// How a request is answered.
    enum Answer: Sendable {
        case whole(String, status: HTTPResponseStatus = .ok)
        case redirect(to: String)
        /// A head, and a body that does not end.
        case endless
        case silence
    }
    private struct State {
        var answer: Answer
        var arrivals: [ContinuousClock.Instant] = []
        var waiting: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }
    private let state: Mutex<State>
    private let listener = Mutex<(any Channel)?>(nil)

    private init(_ answer: Answer) {
        state = Mutex(State(answer: answer))
    }

    /// Runs `body` with a server.
    static func run(_ answer: Answer, _ body: (KeyServer) async throws -> Void) async throws {
        let server = KeyServer(answer)
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(server: server))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        server.listener.withLock { $0 = channel }
        do {
            try await body(server)
        } catch {
            try await channel.close()
            throw error
        }
        try await channel.close()
    }

    /// Where it is asked.
    var address: String {
        "http://127.0.0.1:\(listener.withLock { $0?.localAddress?.port } ?? 0)/keys.json"
    }

    /// Answers so from now on.
    func set(_ answer: Answer) {
        state.withLock { $0.answer = answer }
    }

    /// Returns when so many requests have come in all.
    func requests(upTo count: Int) async {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                if state.arrivals.count >= count { return continuation.resume() }
                state.waiting.append((count, continuation))
            }
        }
    }

    /// When each request came.
    var arrivals: [ContinuousClock.Instant] { state.withLock { $0.arrivals } }

    private func arrive() -> Answer {
        state.withLock { state in
            state.arrivals.append(.now)
            for waiter in state.waiting where waiter.count <= state.arrivals.count { waiter.continuation.resume() }
            state.waiting.removeAll { $0.count <= state.arrivals.count }
            return state.answer
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let server: KeyServer

        init(server: KeyServer) {
            self.server = server
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .end = unwrapInboundIn(data) else { return }
            var head = HTTPResponseHead(version: .http1_1, status: .ok)
            switch server.arrive() {
            case .whole(let text, let status):
                head.status = status
                head.headers.add(name: "Content-Length", value: "\(text.utf8.count)")
                context.write(wrapOutboundOut(.head(head)), promise: nil)
                context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            case .redirect(let address):
                head.status = .found
                head.headers.add(name: "Location", value: address)
                context.write(wrapOutboundOut(.head(head)), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            case .endless:
                context.write(wrapOutboundOut(.head(head)), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "{")))), promise: nil)
            case .silence: break
            }
        }
    }
}

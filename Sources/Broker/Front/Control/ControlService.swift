package import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// Takes commands of the machine's owner for a running broker, at a Unix socket that only the owner can reach.
///
/// A client sends one line, a command and its argument (`backup /path/of/a/file`), and gets `ok` or `error` on a line,
/// then text up to the end of the connection.
package final class ControlService: Service {
    /// A command: takes its argument, returns what it has to say.
    package typealias Command = @Sendable (_ argument: String) async throws -> String

    /// A command that blocks: it gets a thread that may.
    package static func blocking(_ command: @escaping @Sendable (_ argument: String) throws -> String) -> Command {
        { argument in try await NIOThreadPool.singleton.runIfActive { try command(argument) } }
    }

    private let path: String
    private let commands: [String: Command]
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var listener: (any Channel)?
        var isOver = false
    }

    package init(path: String, commands: [String: Command], logger: Logger) {
        self.path = path
        self.commands = commands
        self.logger = logger
    }

    /// Listens at `path` from now on, for as long as it runs. Not to be called before the broker has its database, for the
    /// socket at that path may be another broker's. A socket that cannot be had is logged, and no reason not to serve the
    /// others.
    package func open() async {
        do {
            let listener = try await listen()
            let isOver = state.withLock { state in
                if !state.isOver { state.listener = listener }
                return state.isOver
            }
            if isOver { await close(listener) }
        } catch {
            logger.warning("no control socket", metadata: ["path": "\(path)", "reason": "\(error)"])
        }
    }

    /// Waits until the group shuts down, and no longer listens then.
    package func run() async throws {
        try? await gracefulShutdown()
        let listener = state.withLock { state in
            state.isOver = true
            return state.listener.take()
        }
        if let listener { await close(listener) }
    }

    private func close(_ listener: any Channel) async {
        try? await listener.close()
        unlink(path)
    }

    private func listen() async throws -> any Channel {
        let (commands, logger) = (commands, logger)
        // Whoever may not enter the folder of the database cannot reach it before its mode is set, either.
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ControlHandler(commands: commands, logger: logger))
                }
            }
            .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
        chmod(path, 0o600)
        return listener
    }
}

/// One connection: a line in, an answer out.
private final class ControlHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let maximumBytes = 4096
    private let commands: [String: ControlService.Command]
    private let logger: Logger
    private var line = ByteBuffer()
    private var isAnswered = false

    init(commands: [String: ControlService.Command], logger: Logger) {
        self.commands = commands
        self.logger = logger
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isAnswered else { return }
        line.writeImmutableBuffer(unwrapInboundIn(data))
        guard line.readableBytes <= Self.maximumBytes else { return context.close(promise: nil) }
        guard let end = line.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) else { return }
        isAnswered = true
        let words = String(decoding: line.readableBytesView[..<end], as: UTF8.self).split(
            separator: " ", maxSplits: 1)
        let name = words.first.map(String.init) ?? ""
        let argument = words.count > 1 ? String(words[1]) : ""
        guard let command = commands[name] else { return answer("error\nunknown command \(name)\n", context) }
        logger.info("control", metadata: ["command": "\(name)"])
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.makeFutureWithTask { try await command(argument) }
            .whenComplete { result in
                let (handler, context) = bound.value
                switch result {
                case .success(let text): handler.answer("ok\n\(text)\n", context)
                case .failure(let error): handler.answer("error\n\(error)\n", context)
                }
            }
    }

    private func answer(_ text: String, _ context: ChannelHandlerContext) {
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.value.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text))).whenComplete { _ in
            context.value.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

import BrokerCore
import Foundation
import NIOCore
import NIOPosix

/// A listener that has its address.
package struct OpenListener: Sendable {
    package let options: ListenerOptions
    private let channel: any Channel
    private let file: UnixSocketFile?

    /// The port that it has, where it has one.
    package var port: Int? { channel.localAddress?.port }

    private static let backlog: Int32 = 4096
    /// `TCP_USER_TIMEOUT` of tcp(7).
    private static let userTimeout = NIOBSDSocket.Option(rawValue: 18)

    /// Takes the address. Connections wait until `accept` is called. Throws `ListenError`.
    ///
    /// A connection on which nobody takes what was sent is given up after `patience`, where the system does that.
    static func open(
        _ options: ListenerOptions, on group: MultiThreadedEventLoopGroup, patience: Duration,
        _ prepare: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> OpenListener {
        var bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: backlog)
            .serverChannelOption(.autoRead, value: false)
            // Few at a time: whoever waits for messages is not to wait for a crowd.
            .serverChannelOption(.maxMessagesPerRead, value: 4)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    // Out of descriptors: wait a moment instead of ending the listener.
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            // Whoever sends more has the rest read in the next turn, when others had theirs.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.recvAllocator, value: ReadBuffer.ofItsOwn)
            .childChannelInitializer(prepare)
        switch options.address {
        case .tcp(let host, let port):
            bootstrap = bootstrap.childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            #if os(Linux)
            bootstrap = bootstrap.childChannelOption(
                .tcpOption(userTimeout), value: Int(CInt(clamping: max(patience.milliseconds, 1))))
            #endif
            if let socket = options.inherited { return try await adopt(socket, options, nil, bootstrap) }
            do {
                let channel = try await bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                    .bind(host: host, port: port).get()
                return OpenListener(options: options, channel: channel, file: nil)
            } catch {
                throw ListenError(options, cause: error)
            }
        case .unix(let path):
            if let socket = options.inherited { return try await adopt(socket, options, nil, bootstrap) }
            let (socket, file) = try UnixSocketFile.open(path, for: options)
            return try await adopt(socket, options, file, bootstrap)
        case .systemd:
            throw ListenError(
                options, "the service manager has not opened any socket",
                "Start the broker from a socket unit of systemd, or choose an address")
        }
    }

    /// Takes a socket that is bound.
    private static func adopt(
        _ socket: CInt, _ options: ListenerOptions, _ file: UnixSocketFile?, _ bootstrap: ServerBootstrap
    ) async throws -> OpenListener {
        do {
            let channel = try await bootstrap.withBoundSocket(socket).get()
            // NIO listens with its own default before it knows of the option.
            listen(socket, backlog)
            return OpenListener(options: options, channel: channel, file: file)
        } catch {
            file?.remove()
            throw ListenError(options, cause: error)
        }
    }

    /// Lets connections in from now on.
    func accept() async throws {
        try await channel.setOption(.autoRead, value: true).get()
    }

    /// Lets nobody in any more. What a service manager has opened stays open there, and connections wait in it.
    func close() async {
        file?.remove()
        try? await channel.close()
    }
}

/// The listeners of a broker that is ready.
package struct ListeningPorts: Sendable {
    package let listeners: [OpenListener]

    /// The port of the first listener that has one.
    package var plain: Int? { listeners.lazy.compactMap(\.port).first }
}

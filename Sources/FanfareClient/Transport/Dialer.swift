import Driver
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import TLSErrors

/// Makes connections to the broker: directly or through a proxy, with TLS where the URLs say so.
struct Dialer: Sendable {
    private let configuration: ClientConfiguration
    private let context: NIOSSLContext?

    /// Throws when the file of authorities cannot be used.
    init(_ configuration: ClientConfiguration) throws(ClientError) {
        self.configuration = configuration
        let proxy = configuration.proxies.proxy(for: configuration.endpoint)
        guard configuration.endpoint.isSecure || proxy?.isSecure == true else {
            context = nil
            return
        }
        var tls = TLSConfiguration.makeClientConfiguration()
        if let file = configuration.certificateAuthorityFile {
            guard FileManager.default.isReadableFile(atPath: file) else {
                throw ClientError(.protocolFailure, "\(file): the certificates cannot be read")
            }
            tls.trustRoots = .file(file)
        }
        if let file = configuration.certificateFile {
            let key = configuration.privateKeyFile ?? file
            do {
                tls.certificateChain = try NIOSSLCertificate.fromPEMFile(file).map { .certificate($0) }
                tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
            } catch {
                throw ClientError(
                    .protocolFailure, "\(file), \(key): the client's certificate and its key cannot be read")
            }
        }
        do {
            context = try NIOSSLContext(configuration: tls)
        } catch {
            let file = configuration.certificateAuthorityFile ?? "the system's certificates"
            throw ClientError(.protocolFailure, "\(file): the certificates cannot be read: \(Self.reason(of: error))")
        }
    }

    /// Makes the WebSocket of a session, on its event loop.
    func connect(_ core: ClientCore) {
        let bound = NIOLoopBound(core, eventLoop: core.loop)
        let configuration = configuration
        let finished = dial(on: core.loop) { channel in
            // Of a name with several addresses each gets one; that of the first connection that is made is the session's.
            let handler = try WebSocketClientHandler(configuration: configuration, owner: bound.value)
            try channel.pipeline.syncOperations.addHandler(handler)
        }
        finished.whenFailure { bound.value.connectionFailed(Self.failure(of: $0)) }
        finished.whenSuccess { channel in
            // Closed meanwhile.
            if bound.value.phase == .closed { channel.close(promise: nil) }
        }
    }

    /// Connects; `configure` puts the handlers of the protocol behind the tunnel and TLS, on the event loop.
    func dial(
        on loop: any EventLoop, _ configure: @escaping @Sendable (any Channel) throws -> Void
    ) -> EventLoopFuture<any Channel> {
        let url = configuration.endpoint.url
        let timeout = TimeAmount.nanoseconds(configuration.connectTimeout.nanoseconds)
        let anyBootstrap = ClientBootstrap(group: loop).connectTimeout(timeout)
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(
                    minimum: 1024, initial: 16 * 1024, maximum: 256 * 1024))
        if let path = configuration.endpoint.socketPath {
            return anyBootstrap.channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try configure(channel) }
            }
            .connect(unixDomainSocketPath: path)
        }
        let bootstrap = anyBootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1)
        guard let proxy = configuration.proxies.proxy(for: url) else {
            return bootstrap.channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try secure(channel, url.isSecure, host: url.host)
                    try configure(channel)
                }
            }
            .connect(host: url.host, port: Int(url.port))
        }
        let isOpen = loop.makePromise(of: [UInt8].self)
        let options = DriverOptions(handshakeTimeout: configuration.connectTimeout)
        return bootstrap.channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try secure(channel, proxy.isSecure, host: proxy.host)
                let tunnel = TunnelHandler(url: url, proxy: proxy, options: options, isOpen: isOpen)
                try channel.pipeline.syncOperations.addHandler(tunnel)
            }
        }
        .connect(host: proxy.host, port: Int(proxy.port))
        .flatMapErrorThrowing { error in
            let failure = ClientError(
                .unreachable, "the proxy \(proxy.hostAndPort) cannot be reached: \(Self.reason(of: error))")
            isOpen.fail(failure)
            throw failure
        }
        .flatMap { channel in
            isOpen.futureResult.flatMapThrowing { surplus in
                try secure(channel, url.isSecure, host: url.host)
                try configure(channel)
                if !surplus.isEmpty {
                    channel.pipeline.fireChannelRead(ByteBuffer(bytes: surplus))
                    channel.pipeline.fireChannelReadComplete()
                }
                return channel
            }
        }
    }

    private func secure(_ channel: any Channel, _ isSecure: Bool, host: String) throws {
        guard isSecure, let context else { return }
        // An address is no name to ask for; the certificate is then compared with the address.
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        let handler = try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    /// No connection came about.
    static func failure(of error: any Error) -> ClientError {
        error as? ClientError ?? ClientError(.unreachable, "no broker answers: \(reason(of: error))")
    }

    /// What came to an open connection, before or after TLS began on it.
    static func loss(by error: any Error) -> ClientError {
        let outcome = TLSFailure(error) == nil ? "the connection was lost: " : ""
        return ClientError(.unreachable, outcome + reason(of: error))
    }

    /// Why no connection came about, in a few words.
    static func reason(of error: any Error) -> String {
        switch error {
        case let error as ClientError: return error.description
        case let error as ProxyConnect.Failure: return error.reason
        case let error as NIOConnectionError:
            if let failure = error.connectionErrors.first { return reason(of: failure.error) }
            return "the name \(error.host) is not known"
        case let error as IOError: return String(cString: strerror(error.errnoCode))
        case let error as NIOCore.ChannelError where error.isTimeout: return "no answer in time"
        case NIOSSLError.uncleanShutdown: return "TLS ended without a farewell"
        default: return TLSFailure(error).map(reason) ?? "\(error)"
        }
    }

    private static func reason(of failure: TLSFailure) -> String {
        switch failure {
        case .certificate: "the certificate is from no authority that is trusted here, or has ended"
        case .name: "the certificate does not name this host"
        case .noTLS: "what listens there does not speak TLS"
        case .closed: "the connection was closed before TLS had begun"
        case .other(let reason): "TLS failed: \(reason)"
        }
    }
}

extension NIOCore.ChannelError {
    fileprivate var isTimeout: Bool { if case .connectTimeout = self { true } else { false } }
}

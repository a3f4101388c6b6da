import BrokerCore
import Driver
import Foundation
import NIOCore
import NIOPosix

/// A Bayeux session over one WebSocket (Bayeux 1.0 §4).
struct BayeuxClient {
    private static let connectTimeout = TimeAmount.seconds(5)

    private let endpoint: Endpoint
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private var received: [IncomingMessage] = []
    private var clientID = ""
    private var lastID = 0
    private var channels: [String] = []

    /// Connects, runs `body` with a client, and closes the connection.
    static func withConnection(
        to endpoint: Endpoint, _ body: (inout BayeuxClient) async throws -> Void
    ) async throws {
        let (channel, opened) = try await open(endpoint)
        do {
            try await channel.executeThenClose { inbound, outbound in
                do {
                    try await opened.get()
                } catch let error as CLIError {
                    throw CLIError(description: "\(endpoint.text): \(error.description)", status: error.status)
                }
                var client = BayeuxClient(
                    endpoint: endpoint, outbound: outbound, inbound: inbound.makeAsyncIterator())
                try await body(&client)
            }
        } catch let error as NIOCore.ChannelError {
            throw CLIError.unreachable("\(endpoint.text): the connection was lost: \(error)")
        }
    }

    private static func open(
        _ endpoint: Endpoint
    ) async throws -> (NIOAsyncChannel<ByteBuffer, ByteBuffer>, EventLoopFuture<Void>) {
        let url = endpoint.url
        do {
            return try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connectTimeout(connectTimeout)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .connect(host: url.host, port: Int(url.port)) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let opened = channel.eventLoop.makePromise(of: Void.self)
                        let handler = WebSocketClientHandler(url: url, opened: opened)
                        try channel.pipeline.syncOperations.addHandler(handler)
                        let wrapped = try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                        return (wrapped, opened.futureResult)
                    }
                }
        } catch let error as CLIError {
            throw error
        } catch {
            throw CLIError.unreachable(
                "no broker answers at \(endpoint.text): \(reason(of: error)). Is broker-server running there?")
        }
    }

    /// Why no connection came about, in a few words.
    private static func reason(of error: any Error) -> String {
        guard let error = error as? NIOConnectionError else { return "\(error)" }
        if let failure = error.connectionErrors.first {
            return (failure.error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(failure.error)"
        }
        return "the name \(error.host) is not known"
    }

    private init(
        endpoint: Endpoint, outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    ) {
        self.endpoint = endpoint
        self.outbound = outbound
        self.inbound = inbound
    }

    /// Sends a batch.
    func send(_ batch: [UInt8]) async throws {
        try await outbound.write(ByteBuffer(bytes: batch))
    }

    /// The next message from the broker.
    mutating func next() async throws -> IncomingMessage {
        while received.isEmpty {
            guard let text = try await inbound.next() else {
                throw CLIError.unreachable("\(endpoint.text): the broker closed the connection")
            }
            var batch: [Envelope] = []
            do {
                _ = try EnvelopeScanner(limits: EnvelopeLimits(maximumMessages: .max))
                    .scan(text.readableBytesSpan, into: &batch)
            } catch {
                throw CLIError.unreachable("\(endpoint.text) does not speak Bayeux: \(error)")
            }
            received = batch.reversed().map { IncomingMessage($0, of: text) }
        }
        return received.removeLast()
    }

    /// Begins a session.
    mutating func handshake() async throws {
        let reply = try await request(
            "/meta/handshake", #""version":"1.0","supportedConnectionTypes":["websocket"]"#)
        guard reply.isSuccessful == true, let clientID = reply.clientID else {
            throw CLIError.denied("\(endpoint.text): the broker refused the handshake: \(reply.error)")
        }
        self.clientID = clientID
    }

    /// Subscribes to channels and patterns, all or none.
    mutating func subscribe(to channels: [String]) async throws {
        self.channels = channels
        var list: [UInt8] = []
        for channel in channels {
            list.append(list.isEmpty ? UInt8(ascii: "[") : UInt8(ascii: ","))
            list.append(jsonString: channel)
        }
        let reply = try await request(
            "/meta/subscribe", #""subscription":\#(String(decoding: list, as: UTF8.self))]"#)
        guard reply.isSuccessful == true else {
            throw CLIError.refused("subscribe \(channels.joined(separator: " "))", error: reply.error)
        }
    }

    /// Asks for messages; the reply comes among them.
    mutating func connect() async throws {
        try await send("/meta/connect", #""connectionType":"websocket""#)
    }

    /// Does what the reply to a connect advises: connects again, or begins a new session with the same subscriptions.
    mutating func goOn(after reply: IncomingMessage) async throws {
        if reply.interval > 0 { try await Task.sleep(for: .milliseconds(reply.interval)) }
        if reply.isSuccessful == true {
            return try await connect()
        }
        guard reply.reconnect == "handshake" else {
            throw CLIError.denied("\(endpoint.text): the broker ended the session: \(reply.error)")
        }
        try await handshake()
        try await subscribe(to: channels)
        try await connect()
    }

    /// Ends the session, so that the broker need not wait for it.
    mutating func disconnect() async throws {
        _ = try await request("/meta/disconnect", "")
    }

    /// Sends a meta message and waits for its reply; what comes meanwhile is passed over unless it is a message.
    private mutating func request(_ channel: String, _ fields: String) async throws -> IncomingMessage {
        let id = try await send(channel, fields)
        var others: [IncomingMessage] = []
        while true {
            let message = try await next()
            if message.id == id {
                received += others.reversed()
                return message
            }
            if message.isDelivery { others.append(message) }
        }
    }

    @discardableResult
    private mutating func send(_ channel: String, _ fields: String) async throws -> String {
        lastID += 1
        let id = "m\(lastID)"
        var message = #"[{"channel":"\#(channel)","id":"\#(id)""#
        if !clientID.isEmpty { message += #","clientId":"\#(clientID)""# }
        if !fields.isEmpty { message += "," + fields }
        try await send(Array((message + "}]").utf8))
        return id
    }
}

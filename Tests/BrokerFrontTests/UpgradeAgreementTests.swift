import Driver
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import BrokerFront

/// NIO's parser and the driver decide by themselves whether a request asks for another protocol. Where the driver says yes and
/// the parser no, what follows the handshake would be parsed as HTTP.
@Suite("Where HTTP ends")
struct UpgradeAgreementTests {
    /// Counts the requests, of which the first one is kept.
    private final class Requests: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        private(set) var first: HTTPRequestHead?
        private(set) var count = 0

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .head(let head) = unwrapInboundIn(data) else { return }
            first = first ?? head
            count += 1
        }
    }

    private static let pieces = ["upgrade", "Keep-Alive", "x", "\t", " ", ",", "\"", ";"]

    /// All values for `Connection` of up to four pieces that have an `upgrade`.
    private static let values: [String] = {
        var values = [""]
        for _ in 0..<4 { values += values.flatMap { value in pieces.map { value + $0 } } }
        return Set(values).filter { $0.contains("upgrade") }.sorted()
    }()

    @Test
    func values() throws {
        var handshakes = 0
        for value in Self.values {
            let requests = Requests()
            let channel = EmbeddedChannel()
            let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes))
            try channel.pipeline.syncOperations.addHandlers([decoder, requests])
            let head = "GET / HTTP/1.1\r\nHost: a\r\n"
            let handshake = head + "Upgrade: websocket\r\nConnection: \(value)\r\n\r\n"
            try channel.writeInbound(ByteBuffer(string: handshake + head + "\r\n"))
            let first = try #require(requests.first)
            if ServerDriver.isWebSocketRequest(RequestHead(first)), first.isLastForParser {
                handshakes += 1
                #expect(requests.count == 1, "Connection: \(value.debugDescription)")
            }
            _ = try? channel.finish(acceptAlreadyClosed: true)
        }
        #expect(handshakes > 100)
    }
}

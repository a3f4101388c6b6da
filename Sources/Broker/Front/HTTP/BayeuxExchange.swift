import BrokerCore
import NIOCore
import NIOHTTP1

/// One HTTP request that the router answers: gathers what it is given until it is complete.
final class BayeuxExchange {
    private weak var handler: HTTPHandler?
    private var replies: [UInt8] = []
    private var messages: [UInt8] = []

    init(handler: HTTPHandler) {
        self.handler = handler
    }

    /// Replies to messages of the request: JSON objects separated by commas.
    func append(replies objects: RawSpan) {
        if !replies.isEmpty { replies.append(UInt8(ascii: ",")) }
        objects.withUnsafeBytes { replies.append(contentsOf: $0) }
    }

    /// A message for the session whose connect this is.
    func append(message: Publication) {
        messages.append(UInt8(ascii: ","))
        messages += message.json
    }

    /// Every message of the batch is answered: replies first, then messages.
    func finish() {
        var body = ByteBuffer(bytes: [UInt8(ascii: "[")])
        body.writeBytes(replies)
        body.writeBytes(messages)
        body.writeBytes([UInt8(ascii: "]")])
        handler?.finishExchange(.json(.ok, body))
    }

    /// A publication over HTTP was taken or refused.
    func finish(_ result: Result<PublishReceipt, BayeuxError>) {
        switch result {
        case .failure(let error):
            handler?.finishExchange(.problem(error.status, error.wire))
        case .success(let receipt):
            let sequence = receipt.sequence.map(String.init) ?? "null"
            let body = """
                {"id":"\(receipt.id)","channel":"\(receipt.channel)","seq":\(sequence),"matched":\(receipt.matchedCount)}

                """
            handler?.finishExchange(.json(.ok, ByteBuffer(string: body)))
        }
    }

    /// The retained message of a channel was looked up.
    func finish(_ result: Result<StoredPublication?, BayeuxError>) {
        switch result {
        case .failure(let error):
            handler?.finishExchange(.problem(error.status, error.wire))
        case .success(nil):
            handler?.finishExchange(.problem(.notFound, "The channel has no retained message"))
        case .success(let stored?):
            var response = HTTPResponse.json(.ok, ByteBuffer(bytes: stored.data + [UInt8(ascii: "\n")]))
            response.headers.add(name: "Fanfare-Seq", value: "\(stored.sequence)")
            handler?.finishExchange(response)
        }
    }
}

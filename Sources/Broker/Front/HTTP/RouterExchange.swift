import BrokerCore
import NIOCore
import NIOHTTP1

/// One HTTP request that the router answers: gathers what it is given until it is complete.
final class RouterExchange {
    private weak var handler: HTTPHandler?
    /// The function that the answer calls, when it is a script.
    private let callback: JSONPCallback?
    private var replies: [UInt8] = []
    /// They are shared with whoever else gets them; copied once, into the answer.
    private var messages: [Publication] = []

    init(handler: HTTPHandler, callback: JSONPCallback? = nil) {
        self.handler = handler
        self.callback = callback
    }

    /// Replies to messages of the request: JSON objects separated by commas.
    func append(replies objects: RawSpan) {
        if !replies.isEmpty { replies.append(UInt8(ascii: ",")) }
        objects.withUnsafeBytes { replies.append(contentsOf: $0) }
    }

    /// A message for the session whose connect this is.
    func append(message: Publication) {
        messages.append(message)
    }

    /// Every message of the batch is answered: replies first, then messages.
    func finish() {
        handler?.finishExchange(answer)
    }

    /// The answer, with what there is so far.
    var answer: HTTPResponse {
        let count = messages.reduce(replies.count + 2) { $0 + 1 + $1.json.count }
        var json = ByteBufferAllocator().buffer(capacity: count)
        json.writeStaticString("[")
        json.writeBytes(replies)
        for message in messages {
            json.writeStaticString(",")
            json.writeBytes(message.json)
        }
        json.writeStaticString("]")
        guard let callback else { return .json(.ok, json) }
        return .script(ByteBuffer(bytes: callback.script(calling: Array(json.readableBytesView))))
    }

    /// A publication over HTTP was taken or refused.
    func finish(_ result: Result<PublishReceipt, BayeuxError>) {
        switch result {
        case .failure(let error):
            handler?.finishExchange(.problem(error.status, error.wire, retryAfter: error.retryAfter))
        case .success(let receipt):
            let sequence = receipt.sequence.map(String.init) ?? "null"
            let body = """
                {"id":"\(receipt.id)","channel":"\(receipt.channel)","seq":\(sequence),"matched":\(receipt.matchedCount)}

                """
            handler?.finishExchange(.json(.ok, ByteBuffer(string: body)))
        }
    }

    /// A part of a channel's history was read.
    func finish(_ result: Result<[Publication], BayeuxError>) {
        switch result {
        case .failure(let error):
            handler?.finishExchange(.problem(error.status, error.wire, retryAfter: error.retryAfter))
        case .success(let publications):
            var body = ByteBuffer(string: "[")
            for (index, publication) in publications.enumerated() {
                if index > 0 { body.writeStaticString(",\n") }
                body.writeBytes(publication.json)
            }
            body.writeStaticString("]\n")
            handler?.finishExchange(reading: .json(.ok, body))
        }
    }

    /// The administrator is answered.
    func finish(_ answer: AdminAnswer) {
        guard let handler else { return }
        handler.finishExchange(handler.services.response(to: answer))
    }

    /// The retained message of a channel was looked up.
    func finish(_ result: Result<StoredPublication?, BayeuxError>) {
        switch result {
        case .failure(let error):
            handler?.finishExchange(.problem(error.status, error.wire, retryAfter: error.retryAfter))
        case .success(nil):
            handler?.finishExchange(.problem(.notFound, "The channel has no retained message"))
        case .success(let stored?):
            var response = HTTPResponse.json(.ok, ByteBuffer(bytes: stored.data + [UInt8(ascii: "\n")]))
            response.headers.add(name: "Fanfare-Seq", value: "\(stored.sequence)")
            response.headers.add(name: "Access-Control-Expose-Headers", value: "Fanfare-Seq")
            handler?.finishExchange(reading: response)
        }
    }
}

import BrokerCore
import NIOCore

/// A message from the broker, as it came.
struct IncomingMessage {
    private let text: ByteBuffer
    private let envelope: Envelope

    init(_ envelope: Envelope, of text: ByteBuffer) {
        self.envelope = envelope
        self.text = text
    }

    /// Whether it answers a connect.
    var isConnectReply: Bool { envelope.channel.equals("/meta/connect", in: text.readableBytesSpan) }
    /// Whether it is a publication, rather than a reply.
    var isDelivery: Bool { !envelope.data.isAbsent && envelope.successful.isAbsent }

    var id: String? { envelope.id.string(in: text.readableBytesSpan) }
    var clientID: String? { envelope.clientId.string(in: text.readableBytesSpan) }
    var isSuccessful: Bool? { envelope.successful.bool }
    var error: String { envelope.error.string(in: text.readableBytesSpan) ?? "no reason" }

    /// What the client shall do next, `retry`, `handshake` or `none`.
    var reconnect: String? {
        guard envelope.advice.kind == .object else { return nil }
        let span = text.readableBytesSpan
        return envelope.advice.member("reconnect", in: span).string(in: span)
    }

    /// How long the client shall wait before that, in milliseconds.
    var interval: Int64 {
        guard envelope.advice.kind == .object else { return 0 }
        let span = text.readableBytesSpan
        return envelope.advice.member("interval", in: span).integer(in: span) ?? 0
    }

    /// The message on a line of its own. A line end in JSON is white space, never part of a string.
    var line: [UInt8] {
        let range = envelope.whole.range
        var line = text.readableBytesView[(text.readerIndex + range.lowerBound)..<(text.readerIndex + range.upperBound)]
            .map { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") ? UInt8(ascii: " ") : $0 }
        line.append(UInt8(ascii: "\n"))
        return line
    }
}

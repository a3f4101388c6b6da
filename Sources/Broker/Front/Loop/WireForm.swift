import BrokerCore
import Driver
import NIOCore

/// What a publication looks like on a connection; connections of one form share its bytes.
enum WireForm: Hashable {
    /// A WebSocket: a JSON array of one message in a frame of its kind.
    case webSocket(PreparedMessage.WireForm)
    /// An event stream of a Bayeux session: a JSON array of one message (Faye's `eventsource`).
    case sessionStream
    /// An event stream of channels: the message, with its sequence number as the event's id.
    case channelStream
}

extension WireForm {
    /// Appends a publication in this form, other than a plain frame of RFC 6455.
    func append(_ publication: Publication, to buffer: inout ByteBuffer) {
        switch self {
        case .webSocket(let form):
            var array: [UInt8] = []
            array.reserveCapacity(publication.json.count + 2)
            array.append(UInt8(ascii: "["))
            array += publication.json
            array.append(UInt8(ascii: "]"))
            // Never nil: what is published was checked to be UTF-8.
            guard let message = PreparedMessage(.text, array) else { return }
            buffer.writeBytes(message.bytes(for: form))
        case .sessionStream:
            buffer.writeStaticString("data: [")
            buffer.writeBytes(publication.oneLine)
            buffer.writeStaticString("]\r\n\r\n")
        case .channelStream:
            if let sequence = publication.sequence { buffer.writeString("id: \(sequence)\n") }
            buffer.writeStaticString("data: ")
            buffer.writeBytes(publication.oneLine)
            buffer.writeStaticString("\n\n")
        }
    }
}

extension Publication {
    /// The message without line ends, which its publisher may have put between tokens.
    fileprivate var oneLine: [UInt8] {
        let json = json
        var line: [UInt8] = []
        line.reserveCapacity(json.count)
        line.append(oneLine: JSONSlice(kind: .object, offset: 0, count: UInt32(json.count)), of: json.span.bytes)
        return line
    }
}

import BrokerCore
import Driver
import NIOCore

/// The forms that the connections of one event loop take, by number.
struct WireForms {
    /// What nearly every connection has, under the number 0.
    static let plain = WireForm.webSocket(.hybi)

    private var forms = [plain]

    /// The number of a form. There are few: one for each window size that clients may ask for.
    mutating func number(of form: WireForm) -> UInt8 {
        if let index = forms.firstIndex(of: form) { return UInt8(index) }
        // Any connection can take the plain form, so it will do for what is beyond the numbers.
        guard let number = UInt8(exactly: forms.count) else { return 0 }
        forms.append(form)
        return number
    }

    /// Whether a connection with the form of this number is an event stream.
    func isStream(_ number: UInt8) -> Bool {
        switch forms[Int(number)] {
        case .webSocket: false
        case .sessionStream, .channelStream: true
        }
    }

    /// Appends the JSON array of `objects`, which are separated by commas: as a WebSocket's frame, or as an event of a
    /// stream, without an id.
    func append(arrayOf objects: RawSpan, in number: UInt8, to buffer: inout ByteBuffer) {
        if number == 0 { return buffer.writeFrame(arrayOf: objects) }
        switch forms[Int(number)] {
        case .webSocket(.hixie):
            buffer.writeInteger(HixieFrameEncoder.textPrefix)
            buffer.writeArray(of: objects)
            buffer.writeInteger(HixieFrameEncoder.textSuffix)
        case .webSocket:
            buffer.writeFrame(arrayOf: objects)
        case .sessionStream, .channelStream:
            buffer.writeStaticString("data: ")
            buffer.writeArray(of: objects)
            buffer.writeStaticString("\r\n\r\n")
        }
    }

    /// Appends a publication in the form of this number.
    func append(_ publication: Publication, in number: UInt8, to buffer: inout ByteBuffer) {
        if number == 0 {
            let json = publication.json
            buffer.writeFrame(arrayOf: json.span.bytes)
        } else {
            forms[Int(number)].append(publication, to: &buffer)
        }
    }
}

extension ByteBuffer {
    fileprivate mutating func writeArray(of objects: RawSpan) {
        writeStaticString("[")
        objects.withUnsafeBytes { _ = writeBytes($0) }
        writeStaticString("]")
    }

    /// Writes a text frame of RFC 6455 with a JSON array around `objects`.
    fileprivate mutating func writeFrame(arrayOf objects: RawSpan) {
        let payloadBytes = objects.byteCount + 2
        let frameBytes = FrameEncoder.serverFrameBytes(payloadBytes: payloadBytes)
        writeWithUnsafeMutableBytes(minimumWritableBytes: frameBytes) { buffer in
            var position = FrameEncoder.encodeServerHeader(.text, payloadBytes: payloadBytes, into: buffer)
            buffer[position] = UInt8(ascii: "[")
            position += 1
            objects.withUnsafeBytes { source in
                UnsafeMutableRawBufferPointer(rebasing: buffer[position...]).copyMemory(from: source)
            }
            position += objects.byteCount
            buffer[position] = UInt8(ascii: "]")
            return position + 1
        }
    }
}

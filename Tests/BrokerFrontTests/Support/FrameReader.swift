import Driver
import NIOCore

/// Reads frames as a client does whose handshake is over.
enum FrameReader {
    /// The texts in `piece`, which consists of whole frames.
    static func texts(in piece: ByteBuffer) throws -> [String] {
        var client = ClientDriver(url: try WebSocketURL("ws://broker.test/"))
        var server = ServerDriver()
        var sink = TextSink()
        client.start()
        server.receive(client.takeOutput().span.bytes, into: &sink)
        _ = server.start(into: &sink)
        client.receive(server.takeOutput().span.bytes, into: &sink)

        client.receive(piece.readableBytesSpan, into: &sink)
        // Whatever follows a whole frame is a frame.
        let ping: [UInt8] = [0x89, 0]
        client.receive(ping.span.bytes, into: &sink)
        guard sink.endsWithPing else { throw Missing("whole frames only") }
        return sink.texts
    }
}

private struct TextSink: DriverSink {
    var texts: [String] = []
    var endsWithPing = false

    mutating func message(_ payload: RawSpan, kind: MessageKind) {
        texts.append(payload.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
    }
    mutating func ping(_ payload: RawSpan) { endsWithPing = true }
}

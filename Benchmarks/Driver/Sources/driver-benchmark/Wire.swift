/// What a client puts on the wire, written here byte by byte, so that no implementation makes the input of another.
enum Wire {
    /// The request of RFC 6455 §1.3, with the fields that a browser adds.
    static let request = Array(
        """
        GET /chat HTTP/1.1\r
        Host: server.example.com\r
        User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r
        Accept: */*\r
        Accept-Language: en-US,en;q=0.5\r
        Accept-Encoding: gzip, deflate, br\r
        Origin: https://example.com\r
        Upgrade: websocket\r
        Connection: keep-alive, Upgrade\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
        Sec-WebSocket-Version: 13\r
        \r

        """.utf8)

    /// Printable ASCII that does not repeat within a cache line.
    static func text(byteCount: Int) -> [UInt8] {
        (0..<byteCount).map { (index: Int) -> UInt8 in UInt8(32 + (index * 7 + index / 95) % 95) }
    }

    /// Text of which every fourth character takes two bytes.
    static func accentedText(byteCount: Int) -> [UInt8] {
        var bytes = text(byteCount: byteCount)
        for index in stride(from: 3, to: byteCount - 1, by: 5) {
            bytes.replaceSubrange(index...(index + 1), with: "é".utf8)
        }
        return bytes
    }

    /// Messages as a broker's clients send them, to be compressed.
    static func json(byteCount: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var number = 1
        while bytes.count < byteCount {
            number = number * 48271 % 2_147_483_647
            bytes += #"{"channel":"/prices/\#(number % 97)","id":"\#(number)","data":{"bid":\#(number % 9973)}},"#.utf8
        }
        return Array(bytes.prefix(byteCount))
    }

    /// The length of an unmasked frame's header.
    static func headerBytes(_ payloadBytes: Int) -> Int {
        payloadBytes <= 125 ? 2 : payloadBytes <= 65535 ? 4 : 10
    }

    /// A whole masked text frame.
    static func maskedText(_ payload: [UInt8], key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]) -> [UInt8] {
        var frame: [UInt8] = [0x81]
        switch payload.count {
        case ...125:
            frame.append(0x80 | UInt8(payload.count))
        case ...65535:
            frame.append(0x80 | 126)
            append(payload.count, byteCount: 2, to: &frame)
        default:
            frame.append(0x80 | 127)
            append(payload.count, byteCount: 8, to: &frame)
        }
        frame += key
        frame += payload.indices.map { payload[$0] ^ key[$0 & 3] }
        return frame
    }

    private static func append(_ length: Int, byteCount: Int, to frame: inout [UInt8]) {
        for index in (0..<byteCount).reversed() { frame.append(UInt8(truncatingIfNeeded: length >> (index * 8))) }
    }
}

/// A client's stream of equal messages, cut as reads from a socket would cut it.
struct Stream {
    let chunks: [[UInt8]]
    let messageCount: Int

    /// A quarter of a megabyte or one message, so that it stays in the cache, as what was just read from a socket does.
    init(payload: [UInt8], chunkBytes: Int?) {
        let frame = Wire.maskedText(payload)
        messageCount = max(1, 262_144 / frame.count)
        let bytes = (0..<messageCount).flatMap { _ in frame }
        let size = chunkBytes ?? frame.count
        chunks = stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
    }
}

import BrokerCore
import Testing

/// The PROXY protocol, as HAProxy's specification has it; each head whole, cut at every place, and with bytes behind it.
@Suite("PROXY headers")
struct ProxyHeaderTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
        /// Nil for what is refused.
        let source: ProxyHeader.Source?

        init(_ description: String, _ bytes: [UInt8], _ source: ProxyHeader.Source?) {
            (testDescription, self.bytes, self.source) = (description, bytes, source)
        }
        init(_ line: String, _ source: ProxyHeader.Source?) {
            self.init(line.debugDescription, Array(line.utf8), source)
        }
    }

    static let four = ProxyHeader.Source.client(IPAddress(v4: 0xCB00_7107))
    static let six = IPAddress("2001:db8::7").map { ProxyHeader.Source.client($0) }
    static let longest =
        "PROXY TCP6 "
        + Array(repeating: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", count: 2)
        .joined(separator: " ") + " 65535 65535\r\n"

    static let lines: [Row] = [
        Row("PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n", four),
        Row("PROXY TCP4 203.0.113.7 0.0.0.0 0 65535\r\n", four),
        Row("PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n", six),
        Row("PROXY TCP6 ::ffff:203.0.113.7 ::1 1 2\r\n", four),
        Row("PROXY UNKNOWN\r\n", .peer), Row("PROXY UNKNOWN 1.2.3.4 whatever it is\r\n", .peer),
        Row(longest, IPAddress("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").map { .client($0) }),
        Row("PROXY UNKNOWN " + String(repeating: "x", count: 91) + "\r\n", .peer),
        Row("PROXY UNKNOWN " + String(repeating: "x", count: 92) + "\r\n", nil),
        Row("PROXY UNKNOWNS\r\n", nil), Row("PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\n", nil),
        Row("PROXY TCP4 203.0.113.7 192.0.2.1 56324\r\n", nil), Row("PROXY TCP4 203.0.113.7 192.0.2.1 1 2 3\r\n", nil),
        Row("PROXY TCP4  203.0.113.7 192.0.2.1 1 2\r\n", nil), Row("PROXY TCP4 203.0.113.7 192.0.2.1 1 2 \r\n", nil),
        Row("PROXY TCP4 203.0.113.7 192.0.2.1 1 65536\r\n", nil), Row("PROXY TCP4 203.0.113.7 192.0.2.1 01 2\r\n", nil),
        Row("PROXY TCP4 203.0.113.7 192.0.2.1 +1 2\r\n", nil), Row("PROXY TCP4 203.0.113.07 192.0.2.1 1 2\r\n", nil),
        Row("PROXY TCP4 2001:db8::7 192.0.2.1 1 2\r\n", nil), Row("PROXY TCP4 203.0.113.7 2001:db8::7 1 2\r\n", nil),
        Row("PROXY TCP6 203.0.113.7 192.0.2.1 1 2\r\n", nil), Row("PROXY TCP4 localhost 192.0.2.1 1 2\r\n", nil),
        Row("PROXY UDP4 203.0.113.7 192.0.2.1 1 2\r\n", nil), Row("PROXY\tTCP4 203.0.113.7 192.0.2.1 1 2\r\n", nil),
        Row("PROXY UNKNOWN \u{7F}\r\n", nil), Row("PROXY UNKNOWN \r a\r\n", nil), Row("PROXY \r\n", nil),
        Row("proxy TCP4 203.0.113.7 192.0.2.1 1 2\r\n", nil), Row("POST / HTTP/1.1\r\n", nil),
        Row("GET / HTTP/1.1\r\n", nil),
        Row("\r\n\r\nGET / HTTP/1.1\r\n", nil), Row("\u{16}\u{3}\u{1}", nil),
    ]

    /// A head of version 2.
    static func head(
        _ command: UInt8 = 0x21, _ family: UInt8 = 0x11, _ body: [UInt8], length: Int? = nil
    ) -> [UInt8] {
        let length = length ?? body.count
        return [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, command, family]
            + [UInt8(length >> 8), UInt8(length & 0xFF)] + body
    }
    static let v4: [UInt8] = [203, 0, 113, 7, 192, 0, 2, 1, 0xDC, 0x04, 0x01, 0xBB]
    static let v6: [UInt8] =
        [0x20, 0x01, 0x0D, 0xB8] + Array(repeating: 0, count: 11) + [7]
        + Array(repeating: 1, count: 16) + [0, 1, 0, 2]
    static let extensions: [UInt8] = [0x04, 0, 3, 0, 0, 0, 0x02, 0, 1, 0x61, 0xEE, 0, 0]

    static let binary: [Row] = [
        Row("IPv4", head(0x21, 0x11, v4), four), Row("IPv4 over UDP", head(0x21, 0x12, v4), four),
        Row("IPv6", head(0x21, 0x21, v6), six), Row("extensions", head(0x21, 0x11, v4 + extensions), four),
        Row("IPv6 with extensions", head(0x21, 0x21, v6 + extensions), six),
        Row("a Unix socket", head(0x21, 0x31, Array(repeating: 0x2F, count: 216)), .peer),
        Row("a health check", head(0x20, 0, []), .peer),
        Row("a health check with an address", head(0x20, 0x11, v4), .peer),
        Row("a health check of an unknown family", head(0x20, 0xFF, [1, 2, 3]), .peer),
        Row("no family", head(0x21, 0, []), .peer), Row("no family with something", head(0x21, 0, [1, 2, 3]), .peer),
        Row("all that it may have", head(0x21, 0x11, v4 + [0x04, 0, 225] + Array(repeating: 0, count: 225)), four),
        Row("more than it may have", head(0x21, 0x11, v4 + [0x04, 0, 226] + Array(repeating: 0, count: 226)), nil),
        Row("a length beyond the bound", head(0x21, 0x11, [], length: 0xFFFF), nil),
        Row("version 1", head(0x11, 0x11, v4), nil), Row("version 3", head(0x31, 0x11, v4), nil),
        Row("an unknown command", head(0x22, 0x11, v4), nil), Row("an unknown family", head(0x21, 0x41, v4), nil),
        Row("an unknown protocol", head(0x21, 0x13, v4), nil), Row("half a family", head(0x21, 0x01, v4), nil),
        Row("a short IPv4", head(0x21, 0x11, Array(v4.dropLast())), nil),
        Row("a short IPv6", head(0x21, 0x21, v4), nil),
        Row("an extension beyond the end", head(0x21, 0x11, v4 + [0x04, 0, 4, 0, 0, 0]), nil),
        Row("an extension without its length", head(0x21, 0x11, v4 + [0x04, 0]), nil),
        Row("a signature with a mistake", [0x0D, 0x0A, 0x0D, 0x0A, 1] + Array(repeating: 0, count: 11), nil),
    ]

    private func read(_ bytes: [UInt8]) -> ProxyHeader.Reading { ProxyHeader.read(bytes.span.bytes, maximumBytes: 256) }

    @Test(arguments: lines + binary)
    func reading(row: Row) {
        let whole = read(row.bytes)
        guard let source = row.source else {
            guard case .malformed = whole else { return #expect(Bool(false), "\(whole)") }
            // However it is cut, it is never taken, and refused no later than with its last byte.
            for count in row.bytes.indices {
                if case .complete = read(Array(row.bytes.prefix(count))) { #expect(Bool(false), "taken at \(count)") }
            }
            return
        }
        #expect(whole == .complete(source, byteCount: row.bytes.count))
        for count in row.bytes.indices { #expect(read(Array(row.bytes.prefix(count))) == .incomplete) }
        #expect(read(row.bytes + Array("GET / HTTP/1.1\r\n\r\n".utf8)) == .complete(source, byteCount: row.bytes.count))
    }

    /// Nobody makes the broker wait for more than the head may have.
    @Test
    func endlessLine() {
        let line = Array("PROXY UNKNOWN ".utf8) + Array(repeating: UInt8(ascii: "x"), count: 93)
        #expect(read(Array(line.dropLast())) == .incomplete)
        #expect(line.count == ProxyHeader.maximumLineBytes)
        guard case .malformed = read(line) else { return #expect(Bool(false)) }
    }
}

import BrokerCore

@testable import FrontParsers

/// What the front of the broker reads: requests, what proxies say, tokens.
extension Growth {
    static let inFront: [Growth] = [
        Growth(name: "the path of a target") { size in target(many("/a", size)) },
        Growth(name: "the marks of a target") { size in target("/\(many("\u{301}\u{323}", size))") },
        Growth(name: "the authority of a target") { size in target("http://\(many("a.", size))/a") },
        Growth(name: "the parameters of a target") { size in target("/a?\(many("b=c&", size))") },
        Growth(name: "the escapes of a target") { size in target("/a?b=\(many("%41", size))") },
        Growth(name: "the fields of a form") { size in form(many("b=c&", size)) },
        Growth(name: "the escapes of a form") { size in form("message=\(many("%41", size))") },
        Growth(name: "the separators of a form") { size in form(many("&=", size)) },
        Growth(name: "X-Forwarded-For") { size in proxies(.xForwardedFor, ["\(many("10.0.0.1, ", size))10.0.0.1"]) },
        Growth(name: "the fields X-Forwarded-For") { size in
            proxies(.xForwardedFor, Array(repeating: "10.0.0.1", count: size))
        },
        Growth(name: "the blanks of X-Forwarded-For") { size in
            proxies(.xForwardedFor, ["10.0.0.1\(many(" \t", size))"])
        },
        Growth(name: "Forwarded") { size in
            proxies(.forwarded, ["\(many("for=10.0.0.1, ", size))for=10.0.0.1"])
        },
        Growth(name: "the parameters of Forwarded") { size in
            proxies(.forwarded, ["for=10.0.0.1\(many(";a=b", size))"])
        },
        Growth(name: "the quotes of Forwarded") { size in proxies(.forwarded, [#"for="\#(many(#"\a"#, size))""#]) },
        Growth(name: "the extensions of a PROXY header") { size in proxyHeader(extensions: size) },
        Growth(name: "a PROXY header that drips") { size in proxyHeader(extensions: size, isDripping: true) },
        Growth(name: "the names in a token") { size in
            names("{\((0..<size).map { #""a\#($0)":1,"# }.joined())\"b\":1}")
        },
        Growth(name: "the marks of a name in a token") { size in names("{\"\(many(#"\u0301\u0323"#, size))\":1}") },
    ]

    private static func many(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

    private static func target(_ text: String) -> () -> Void {
        {
            let target = RequestTarget(text)
            _ = target.isBelow("/bayeux")
            _ = target.first("message")
        }
    }

    private static func form(_ text: String) -> () -> Void {
        let bytes = Array(text.utf8)
        return {
            _ = FormField.first("message", in: bytes)
            _ = RequestTarget.parameters(in: text)
        }
    }

    /// What proxies say for whom they speak, all of whom are believed.
    private static func proxies(_ header: ProxyTrust.Header, _ fields: [String]) -> () -> Void {
        {
            var trust = ProxyTrust()
            trust.header = header
            trust.ranges = ["10.0.0.0/8"].compactMap { AddressRange($0) }
            _ = trust.client(behind: IPAddress("10.0.0.1"), fields)
        }
    }

    /// A head of version 2 with so many extensions of no length, read once, or again with each byte that comes.
    private static func proxyHeader(extensions count: Int, isDripping: Bool = false) -> () -> Void {
        var bytes: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x21, 0x11]
        let length = 12 + 3 * count
        bytes += [UInt8(length >> 8), UInt8(length & 0xFF), 10, 0, 0, 1, 10, 0, 0, 2, 0, 1, 0, 2]
        for _ in 0..<count { bytes += [0x04, 0, 0] }
        return { [bytes] in
            for end in (isDripping ? 1 : bytes.count)...bytes.count {
                _ = ProxyHeader.read(bytes.span.bytes.extracting(0..<end), maximumBytes: .max)
            }
        }
    }

    private static func names(_ text: String) -> () -> Void {
        let bytes = Array(text.utf8)
        return { _ = try? JSONNames.repeated(in: bytes.span.bytes) }
    }
}

/// The head of HAProxy's PROXY protocol, versions 1 and 2: for whom a proxy opens a connection. Pure: bytes in, a value out.
///
/// It is strict: what does not follow the protocol to the letter is refused, for whoever is believed to be a proxy decides
/// who the client is.
package enum ProxyHeader {
    /// Where the connection comes from.
    package enum Source: Equatable, Sendable {
        /// A client, by its address.
        case client(IPAddress)
        /// The proxy itself (a health check), or a client that has no address: whoever has connected.
        case peer
    }

    /// What the bytes so far come to.
    package enum Reading: Equatable, Sendable {
        /// The head is not complete.
        case incomplete
        /// It is, and so many bytes long.
        case complete(Source, byteCount: Int)
        /// It never will be, with the reason.
        case malformed(String)
    }

    /// The longest line of version 1, with its end.
    package static let maximumLineBytes = 107
    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    private static let fixedBytes = 16

    /// Reads the first bytes of a connection; those behind the head are not looked at. A head of version 2 has at most
    /// `maximumBytes`, its extensions (TLVs) among them; they are passed over. Constant memory, time linear in the head.
    package static func read(_ bytes: RawSpan, maximumBytes: Int) -> Reading {
        bytes.withUnsafeBytes { bytes in
            guard let first = bytes.first else { return .incomplete }
            switch first {
            case UInt8(ascii: "P"): return readLine(bytes)
            case signature[0]: return readBinary(bytes, maximumBytes)
            default: return .malformed("it does not begin with a PROXY header")
            }
        }
    }
}

/// Version 1: `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443`, CR LF.
extension ProxyHeader {
    private static func readLine(_ bytes: UnsafeRawBufferPointer) -> Reading {
        let start = Array("PROXY ".utf8)
        guard bytes.prefix(start.count).elementsEqual(start.prefix(bytes.count)) else {
            return .malformed("it does not begin with a PROXY header")
        }
        let window = bytes.prefix(maximumLineBytes)
        guard let end = window.firstIndex(of: 0x0A) else {
            return bytes.count < maximumLineBytes
                ? .incomplete : .malformed("the line of its PROXY header is longer than \(maximumLineBytes) bytes")
        }
        guard end > 0, bytes[end - 1] == 0x0D else { return .malformed("the line of its PROXY header ends without CR") }
        let line = bytes[start.count..<end - 1]
        guard line.allSatisfy({ 0x20...0x7E ~= $0 }) else { return .malformed("its PROXY header is not ASCII") }
        let parts = String(decoding: line, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
        switch parts.first {
        case "UNKNOWN": return .complete(.peer, byteCount: end + 1)
        case "TCP4", "TCP6": break
        default: return .malformed("its PROXY header names no protocol that there is")
        }
        let isIPv6 = parts[0] == "TCP6"
        guard parts.count == 5, parts[1].contains(":") == isIPv6, parts[2].contains(":") == isIPv6,
            let source = IPAddress(parts[1]), IPAddress(parts[2]) != nil,
            isPort(parts[3]), isPort(parts[4])
        else { return .malformed("the addresses of its PROXY header cannot be read") }
        return .complete(.client(source), byteCount: end + 1)
    }

    /// A number from 0 to 65535 without leading zeros.
    private static func isPort(_ text: Substring) -> Bool {
        1...5 ~= text.utf8.count && text.utf8.allSatisfy(\.isDecimalDigit)
            && (text.utf8.count == 1 || text.first != "0") && UInt16(text) != nil
    }
}

/// Version 2: a signature, version and command, family and protocol, a length, and so many bytes.
extension ProxyHeader {
    private static func readBinary(_ bytes: UnsafeRawBufferPointer, _ maximumBytes: Int) -> Reading {
        guard bytes.prefix(signature.count).elementsEqual(signature.prefix(bytes.count)) else {
            return .malformed("it does not begin with a PROXY header")
        }
        guard bytes.count >= fixedBytes else { return .incomplete }
        guard bytes[12] >> 4 == 2 else { return .malformed("its PROXY header is of version \(bytes[12] >> 4)") }
        let isLocal: Bool
        switch bytes[12] & 0xF {
        case 0: isLocal = true
        case 1: isLocal = false
        default: return .malformed("its PROXY header has an unknown command")
        }
        let length = Int(bytes[14]) << 8 | Int(bytes[15])
        let byteCount = fixedBytes + length
        guard byteCount <= maximumBytes else {
            return .malformed("its PROXY header has \(byteCount) bytes, more than \(maximumBytes)")
        }
        let addressBytes: Int
        switch (bytes[13] >> 4, bytes[13] & 0xF) {
        case (0, 0): addressBytes = 0
        case (1, 1), (1, 2): addressBytes = 12
        case (2, 1), (2, 2): addressBytes = 36
        case (3, 1), (3, 2): addressBytes = 216
        // "The receiver must accept" other values with LOCAL, and pass over all of it.
        default:
            guard isLocal else { return .malformed("its PROXY header names no family and protocol that there are") }
            addressBytes = 0
        }
        guard isLocal || length >= addressBytes else {
            return .malformed("the addresses of its PROXY header are cut off")
        }
        guard bytes.count >= byteCount else { return .incomplete }
        if isLocal { return .complete(.peer, byteCount: byteCount) }
        let body = bytes[fixedBytes..<byteCount]
        guard addressBytes == 0 || holdsExtensions(body.dropFirst(addressBytes)) else {
            return .malformed("an extension of its PROXY header goes beyond its end")
        }
        switch addressBytes {
        case 12: return complete(IPAddress(bytes: body.prefix(4)), byteCount)
        case 36: return complete(IPAddress(bytes: body.prefix(16)), byteCount)
        default: return .complete(.peer, byteCount: byteCount)
        }
    }

    private static func complete(_ address: IPAddress?, _ byteCount: Int) -> Reading {
        .complete(address.map { .client($0) } ?? .peer, byteCount: byteCount)
    }

    /// Whether the bytes are a list of extensions: a type, two bytes of length, so many bytes.
    private static func holdsExtensions(_ bytes: some RandomAccessCollection<UInt8>) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard rest.count >= 3 else { return false }
            let head = Array(rest.prefix(3))
            let length = Int(head[1]) << 8 | Int(head[2])
            guard rest.count >= 3 + length else { return false }
            rest = rest.dropFirst(3 + length)
        }
        return true
    }
}

/// Which proxies are believed when they say for whom they speak, and how the address of a client is told from that.
package struct ProxyTrust: Sendable, Equatable {
    /// Where a proxy says for whom it speaks.
    package enum Header: String, Sendable, CaseIterable {
        /// A list of addresses, to which each proxy adds that of its own peer.
        case xForwardedFor = "x-forwarded-for"
        /// The standard's list (RFC 7239).
        case forwarded
    }
    /// The addresses of proxies.
    package var ranges: [AddressRange] = []
    /// Whether whoever connects by a Unix socket is one.
    package var trustsUnixSockets = false
    /// The one header that is read: of another one the proxies may know nothing, and pass on what clients send.
    package var header = Header.xForwardedFor

    /// Nobody is believed.
    package init() {}

    /// Whether nobody is.
    package var isEmpty: Bool { ranges.isEmpty && !trustsUnixSockets }

    /// Whether a peer is believed; `address` is nil for one at a Unix socket.
    package func trusts(_ address: IPAddress?) -> Bool {
        guard let address else { return trustsUnixSockets }
        return ranges.contains { $0.contains(address) }
    }

    /// The client behind a trusted proxy at `peer`, told from all fields of `header`: the last hop that is not a trusted
    /// proxy itself. What stands before that anybody may have written.
    ///
    /// A hop that is no address (`unknown`, a name of a proxy's own) ends the search, and so does a field that cannot be
    /// read: the proxy that reported it stands for all of its clients.
    package func client(behind peer: IPAddress?, _ fields: [String]) -> IPAddress? {
        var last = peer
        for field in fields.reversed() {
            guard let hops = hops(of: field) else { return last }
            for element in hops.reversed() {
                let hop = header == .forwarded ? Self.forParameter(of: element) : element
                guard let address = hop.flatMap(Self.address) else { return last }
                last = address
                if !trusts(address) { return address }
            }
        }
        return last
    }

    /// The elements of a field. Only the standard's have quotes: in the other list one is a client's trick, which must not
    /// swallow what the proxy has added behind it. In the standard's list such a trick is a field that cannot be read: nil.
    private func hops(of field: String) -> [Substring]? {
        switch header {
        case .forwarded: Self.quotesEnd(in: field) ? Self.elements(field[...], UInt8(ascii: ",")) : nil
        case .xForwardedFor:
            field.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
                .map { Self.trimmed(Substring($0)) }
        }
    }

    /// Where in a field of the standard's a byte stands, as far as quotes go.
    private enum Place {
        case outside
        /// Behind `=`: the only place where quotes begin.
        case behindEquals
        case quoted
        /// Behind a backslash in quotes.
        case escaped
        /// Behind quotes that have ended.
        case closed
    }

    /// Whether all quotes of a field surround a whole value. A client can leave some open, for those that its proxy adds to
    /// end there: then what counts would be what the client has sent.
    private static func quotesEnd(in field: String) -> Bool {
        var place = Place.outside
        for byte in field.utf8 {
            switch (place, byte) {
            case (.escaped, _), (.behindEquals, UInt8(ascii: "\"")): place = .quoted
            case (.quoted, UInt8(ascii: "\\")): place = .escaped
            case (.quoted, UInt8(ascii: "\"")): place = .closed
            case (.quoted, _): break
            case (_, UInt8(ascii: "\"")), (_, UInt8(ascii: "\\")): return false
            case (_, UInt8(ascii: ",")), (_, UInt8(ascii: ";")), (_, UInt8(ascii: " ")), (_, UInt8(ascii: "\t")):
                place = .outside
            case (.closed, _): return false
            case (.outside, _), (.behindEquals, _): place = byte == UInt8(ascii: "=") ? .behindEquals : .outside
            }
        }
        return place != .quoted && place != .escaped
    }

    /// The pieces between separators that are not in quotes, without blanks around them. By bytes: a client could end in what
    /// makes one character of itself and the separator that follows.
    private static func elements(_ text: Substring, _ separator: UInt8) -> [Substring] {
        var isQuoted = false
        var isEscaped = false
        return text.utf8.split(omittingEmptySubsequences: false) { byte in
            if isEscaped {
                isEscaped = false
            } else if isQuoted, byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isQuoted.toggle()
            } else if byte == separator {
                return !isQuoted
            }
            return false
        }.map { trimmed(Substring($0)) }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let rest = text.drop { $0 == " " || $0 == "\t" }
        guard let end = rest.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return "" }
        return rest[...end]
    }

    /// The value of `for` in one hop (RFC 7239 §4); nil when there is none, or more than one.
    private static func forParameter(of element: Substring) -> Substring? {
        var found: Substring?
        for parameter in elements(element, UInt8(ascii: ";")) {
            guard let equals = parameter.firstIndex(of: "="), parameter[..<equals].lowercased() == "for" else {
                continue
            }
            if found != nil { return nil }
            let value = parameter[parameter.index(after: equals)...]
            found =
                value.hasPrefix("\"") && value.hasSuffix("\"") && value.count > 1 ? value.dropFirst().dropLast() : value
        }
        return found
    }

    /// An address, perhaps with a port; one of IPv6 that has a port stands in brackets.
    private static func address(_ text: Substring) -> IPAddress? {
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]"), isPort(text[text.index(after: end)...]) else { return nil }
            return IPAddress(text[text.index(after: text.startIndex)..<end])
        }
        guard let colon = text.firstIndex(of: ":"), !text[text.index(after: colon)...].contains(":") else {
            return IPAddress(text)
        }
        return isPort(text[colon...]) ? IPAddress(text[..<colon]) : nil
    }

    private static func isPort(_ text: Substring) -> Bool {
        if text.isEmpty { return true }
        return text.first == ":" && 2...6 ~= text.utf8.count
            && text.utf8.dropFirst().allSatisfy(\.isDecimalDigit)
    }
}

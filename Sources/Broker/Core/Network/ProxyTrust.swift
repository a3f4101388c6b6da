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
    /// A hop that is no address (`unknown`, a name of a proxy's own) ends the search: the proxy that reported it stands
    /// for all of its clients.
    package func client(behind peer: IPAddress?, _ fields: [String]) -> IPAddress? {
        var last = peer
        for field in fields.reversed() {
            for element in hops(of: field).reversed() {
                let hop = header == .forwarded ? Self.forParameter(of: element) : element
                guard let address = hop.flatMap(Self.address) else { return last }
                last = address
                if !trusts(address) { return address }
            }
        }
        return last
    }

    /// The elements of a field. Only the standard's have quotes: in the other list one is a client's trick, which must not
    /// swallow what the proxy has added behind it.
    private func hops(of field: String) -> [Substring] {
        switch header {
        case .forwarded: Self.elements(field[...], ",")
        case .xForwardedFor: field.split(separator: ",", omittingEmptySubsequences: false).map(Self.trimmed)
        }
    }

    /// The pieces between separators that are not in quotes, without blanks around them.
    private static func elements(_ text: Substring, _ separator: Character) -> [Substring] {
        var isQuoted = false
        var isEscaped = false
        return text.split(omittingEmptySubsequences: false) { character in
            if isEscaped {
                isEscaped = false
            } else if isQuoted, character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if character == separator {
                return !isQuoted
            }
            return false
        }.map { trimmed($0) }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let rest = text.drop { $0 == " " || $0 == "\t" }
        guard let end = rest.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return "" }
        return rest[...end]
    }

    /// The value of `for` in one hop (RFC 7239 §4); nil when there is none, or more than one.
    private static func forParameter(of element: Substring) -> Substring? {
        var found: Substring?
        for parameter in elements(element, ";") {
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

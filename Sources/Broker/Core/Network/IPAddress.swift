/// An IPv4 or IPv6 address, 16 bytes; IPv4 is kept as IPv6 maps it (RFC 4291 §2.5.5.2), so that each address has one form.
package struct IPAddress: Hashable, Sendable, BitwiseCopyable {
    private let high: UInt64
    private let low: UInt64

    private static let mapped: UInt64 = 0xFFFF_0000_0000

    private init(high: UInt64, low: UInt64) {
        (self.high, self.low) = (high, low)
    }

    /// An IPv4 address, the first byte on top.
    package init(v4 bits: UInt32) {
        self.init(high: 0, low: Self.mapped | UInt64(bits))
    }

    /// An address of 4 or 16 bytes, in network order; nil for another number of bytes.
    package init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4: self.init(v4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case 16:
            self.init(
                high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
                low: bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) })
        default: return nil
        }
    }

    /// Whether it is an IPv4 address, however it was written.
    package var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// Whether it stands for the machine that it is used on (RFC 6890): `127.0.0.0/8` and `::1`.
    package var isLoopback: Bool { isIPv4 ? low >> 24 & 0xFF == 127 : high == 0 && low == 1 }

    /// What belongs to one peer: an IPv4 address, or the /64 that an IPv6 host has to itself.
    package var neighbourhood: Self { isIPv4 ? self : Self(high: high, low: 0) }

    /// The address with all but its first `length` bits (0…128, IPv4 at 96…128) cleared.
    func masked(to length: Int) -> Self {
        let (first, rest) = (min(length, 64), max(length - 64, 0))
        return Self(
            high: first == 0 ? 0 : high & (.max << UInt64(64 - first)),
            low: rest == 0 ? 0 : low & (.max << UInt64(64 - rest)))
    }
}

/// Texts.
extension IPAddress: LosslessStringConvertible {
    /// Reads `192.0.2.1`, four numbers without leading zeros, or an IPv6 address (RFC 4291 §2.2), without a zone.
    package init?(_ text: some StringProtocol) {
        if let bits = Self.v4(text) {
            self.init(v4: bits)
        } else if let groups = Self.groups(text) {
            self.init(
                high: groups.prefix(4).reduce(0) { $0 << 16 | UInt64($1) },
                low: groups.dropFirst(4).reduce(0) { $0 << 16 | UInt64($1) })
        } else {
            return nil
        }
    }

    private static func v4(_ text: some StringProtocol) -> UInt32? {
        guard text.utf8.count <= 15 else { return nil }
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bits: UInt32 = 0
        for part in parts {
            guard 1...3 ~= part.count, part.count == 1 || part.first != UInt8(ascii: "0"),
                part.allSatisfy(\.isDecimalDigit)
            else { return nil }
            let number = part.reduce(0) { $0 * 10 + UInt32($1 - UInt8(ascii: "0")) }
            guard number < 256 else { return nil }
            bits = bits << 8 | number
        }
        return bits
    }

    /// The eight groups of an IPv6 address; the last two may be written as IPv4.
    private static func groups(_ text: some StringProtocol) -> [UInt16]? {
        guard 2...45 ~= text.utf8.count else { return nil }
        let text = String(text)
        guard let gap = text.firstRange(of: "::") else {
            return numbers(text[...]).flatMap { $0.count == 8 ? $0 : nil }
        }
        guard let head = numbers(text[..<gap.lowerBound], mayBeIPv4: false),
            let tail = numbers(text[gap.upperBound...]),
            head.count + tail.count < 8
        else { return nil }
        return head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail
    }

    private static func numbers(_ text: Substring, mayBeIPv4: Bool = true) -> [UInt16]? {
        if text.isEmpty { return [] }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        var numbers: [UInt16] = []
        for (index, part) in parts.enumerated() {
            if mayBeIPv4, index == parts.count - 1, let bits = v4(part) {
                numbers += [UInt16(bits >> 16), UInt16(truncatingIfNeeded: bits)]
                continue
            }
            guard 1...4 ~= part.utf8.count, part.allSatisfy(\.isHexDigit), let number = UInt16(part, radix: 16) else {
                return nil
            }
            numbers.append(number)
        }
        return numbers
    }

    /// As people write it; IPv6 shortened at the longest run of zeros (RFC 5952).
    package var description: String {
        if isIPv4 { return [24, 16, 8, 0].map { String((low >> $0) & 0xFF) }.joined(separator: ".") }
        let shifts: [UInt64] = [48, 32, 16, 0]
        let groups: [UInt64] = shifts.map { (high >> $0) & 0xFFFF } + shifts.map { (low >> $0) & 0xFFFF }
        var best = 0..<0
        var start = 0
        for index in 0...8 where index == 8 || groups[index] != 0 {
            if index - start > max(best.count, 1) { best = start..<index }
            start = index + 1
        }
        let texts = groups.map { String($0, radix: 16) }
        if best.isEmpty { return texts.joined(separator: ":") }
        return texts[..<best.lowerBound].joined(separator: ":") + "::"
            + texts[best.upperBound...].joined(separator: ":")
    }
}

/// All addresses that begin alike, written `10.0.0.0/8`, or one address.
package struct AddressRange: Hashable, Sendable, LosslessStringConvertible {
    private let first: IPAddress
    /// How many bits its addresses have in common, those of IPv4 from 96 on.
    private let length: Int

    /// Reads an address with or without the length of a prefix.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(parts[0]) else { return nil }
        let (unused, longest) = address.isIPv4 ? (96, 32) : (0, 128)
        var length = longest
        if parts.count == 2 {
            guard 1...3 ~= parts[1].utf8.count,
                parts[1].utf8.allSatisfy(\.isDecimalDigit),
                let number = Int(parts[1]), number <= longest
            else { return nil }
            length = number
        }
        self.length = unused + length
        first = address.masked(to: self.length)
    }

    /// Whether it holds an address.
    package func contains(_ address: IPAddress) -> Bool {
        // A short prefix of IPv6 does not reach over to IPv4.
        address.isIPv4 == first.isIPv4 && address.masked(to: length) == first
    }

    /// Whether every address of its kind is in it.
    package var holdsEverything: Bool { length == (first.isIPv4 ? 96 : 0) }

    /// As it is written.
    package var description: String {
        let length = first.isIPv4 ? length - 96 : length
        return length == (first.isIPv4 ? 32 : 128) ? first.description : "\(first)/\(length)"
    }
}
